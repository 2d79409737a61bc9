// SPDX-License-Identifier: Apache-2.0
// The schema's history: files migrations/NNNN_name.sql, compiled in, applied in order, each once,
// never changed after a release. schema.sql is what they make, for people to read.
// Errors: STORE_TOO_NEW (a newer coveyd wrote the file), STORE_CORRUPT (another program's mark),
// and those of database.hpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "storage/sqlite/database.hpp"

namespace covey::sqlite {

struct Migration {
  std::string_view name;
  std::string_view sql;
};

std::span<const Migration> migrations();  // number i + 1
// Nothing is written. Errors: STORE_FOREIGN for a database of another program.
Status check_ours(Database& database, const std::string& path);
// Brings the database to the newest schema, in one transaction.
Status migrate(Database& database);
// All CREATE statements, by kind and name.
Result<std::string> schema_of(Database& database);

}  // namespace covey::sqlite
