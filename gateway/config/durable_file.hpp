// SPDX-License-Identifier: Apache-2.0
// Small files that must be either old or new, never half: temporary file, fsync, rename, fsync of
// the folder.
//
// Thread safety: plain functions; two writers of one path: the last rename wins.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace covey::config {

// Errors: FILE_WRITE, with the path and the system's words.
Status write_file_durably(const std::string& path, std::string_view content, mode_t mode);
// Of a file that coveyd obeys: one that a stranger can change is refused (ownership.hpp).
// Errors: FILE_READ; FILE_TOO_LARGE above `bytes_max`; FOREIGN_FILE.
Result<std::string> read_file_bounded(const std::string& path, size_t bytes_max);

// The same of a secret: one that everybody can read is refused. Errors: as above, EXPOSED_FILE.
Result<std::string> read_secret_bounded(const std::string& path, size_t bytes_max);

}  // namespace covey::config
