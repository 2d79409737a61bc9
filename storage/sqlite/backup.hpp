// SPDX-License-Identifier: Apache-2.0
// Store::backup(): SQLite's online backup through a connection of its own that only reads, from one
// view: commits go on, but the log is not started anew until it is done. Any thread.
// Errors: BACKUP_EXISTS, and those of database.hpp.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace covey::sqlite {

// `database` in the file system `vfs` ("": the system's) to a new file of the system's.
Status back_up(const std::string& database, const std::string& vfs,
               const std::filesystem::path& to);

}  // namespace covey::sqlite
