// SPDX-License-Identifier: Apache-2.0
// Pages of history over a connection of its own that never writes, never checkpoints and holds no
// transaction between calls. One thread at a time. Errors: those of database.hpp.
#pragma once

#include <memory>
#include <string>

#include "storage/sqlite/database.hpp"
#include "storage/store.hpp"

namespace covey::sqlite {

// A connection beside the one that writes.
Result<Database> open_query_only(const std::string& path, const std::string& vfs);
Result<std::unique_ptr<Reader>> open_reader(const std::string& path, const std::string& vfs);

}  // namespace covey::sqlite
