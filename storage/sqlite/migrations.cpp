// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/migrations.hpp"

#include <fmt/format.h>

namespace covey::sqlite {
namespace {

constexpr int64_t kApplicationId = 0x436f7679;  // "Covy": which program's file it is

}  // namespace

Status check_ours(Database& database, const std::string& path) {
  const Result<int64_t> application = database.number("PRAGMA application_id");
  if (!application) return application.error();
  const Result<int64_t> tables = database.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const Result<int64_t> site =
      database.number("SELECT count(*) FROM sqlite_schema WHERE name = 'site'");
  if (!site) return site.error();
  if (*application == kApplicationId || (*application == 0 && *tables == 0)) return {};
  if (*site != 0) return corrupt(path + " has lost its mark");
  return Error{Code::kFailedPrecondition, "STORE_FOREIGN",
               fmt::format("{} is a SQLite database of another program, not of coveyd; it was left "
                           "as it is: move it away, or choose another directory with --data",
                           path)};
}

Status migrate(Database& database) {
  const Result<int64_t> application = database.number("PRAGMA application_id");
  if (!application) return application.error();
  const Result<int64_t> version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  const auto newest = static_cast<int64_t>(migrations().size());
  if (*version != 0 && *application != kApplicationId) {
    return corrupt("covey.db is not a database of coveyd");
  }
  if (*version > newest) {
    return Error{Code::kFailedPrecondition, "STORE_TOO_NEW",
                 fmt::format("covey.db has schema {}, this coveyd knows up to {}: install the "
                             "version that wrote it, or a newer one",
                             *version, newest)};
  }
  if (*version == newest) return {};
  Result<Transaction> transaction = Transaction::begin(database);
  if (!transaction) return transaction.error();
  for (auto next = static_cast<size_t>(*version); next < migrations().size(); ++next) {
    if (Status run = database.run(std::string(migrations()[next].sql)); !run) return run;
  }
  // Both live in the header page: part of the transaction.
  const std::string marks =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, newest);
  if (Status marked = database.run(marks); !marked) return marked;
  return transaction->commit();
}

Result<std::string> schema_of(Database& database) {
  Result<Statement*> statement = database.cached(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name");
  if (!statement) return statement.error();
  std::string schema;
  Result<bool> row = (*statement)->step();
  for (; row && *row; row = (*statement)->step()) {
    if (!schema.empty()) schema += "\n";
    schema += reinterpret_cast<const char*>(sqlite3_column_text((*statement)->handle(), 0));
    schema += ";\n";
  }
  (*statement)->reset();
  if (!row) return row.error();
  return schema;
}

}  // namespace covey::sqlite
