// SPDX-License-Identifier: Apache-2.0
// Files of whoever runs `covey`: read whole, written whole or not at all. Any thread. Errors:
// NOT_FOUND, FILE_UNREADABLE (with the system's reason: a folder, no permission, broken off),
// FILE_TOO_LARGE, FILE_UNWRITABLE.
#pragma once

#include <cstddef>
#include <filesystem>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey::cli {

// "-": standard input.
Result<Bytes> read_file(const std::filesystem::path& path, size_t bytes_max);
// A regular file is replaced in one step once all is on the disk, with the mode that it had (else
// `mode` less the umask): whoever reads it sees the old content or the new one. Devices and pipes
// are written to.
Status write_file(const std::filesystem::path& path, ByteView bytes, unsigned mode = 0666);

}  // namespace covey::cli
