// SPDX-License-Identifier: Apache-2.0
// Key files on disk: the one place that decides their permissions. A library of its own
// (covey_key_file), because covey_deploy does no I/O. Any thread.
// Errors: KEY_FILE_EXISTS, KEY_FILE_UNREADABLE, KEY_FILE_UNWRITABLE, KEY_FILE_TOO_OPEN and
// keys.hpp's.
#pragma once

#include <filesystem>

#include "deploy/signing/keys.hpp"

namespace covey {

// Mode 0600 from the first moment; never over an existing file.
Status write_private_key(const std::filesystem::path& path, const PrivateKey& key);
// Mode 0644; never over an existing file.
Status write_public_key(const std::filesystem::path& path, const PublicKey& key);
// Refuses a file that others may read or write (KEY_FILE_TOO_OPEN). `pkcs11:...` is no file but a
// key in a token (pkcs11.hpp).
Result<PrivateKey> read_private_key(const std::filesystem::path& path);
Result<PublicKey> read_public_key(const std::filesystem::path& path);

}  // namespace covey
