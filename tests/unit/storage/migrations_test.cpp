// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/migrations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include "storage/rows/records.hpp"
#include "storage/sqlite/row.hpp"
#include "tests/paths.hpp"

namespace covey::sqlite {
namespace {

Database memory() {
  Result<Database> database =
      Database::open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "");
  EXPECT_TRUE(database);
  return *std::move(database);
}

TEST(Migrations, MakeTheCommittedSchema) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  const Result<std::string> schema = schema_of(database);
  ASSERT_TRUE(schema) << schema.error().message;
  std::ifstream file(covey::test::source_path("storage/sqlite/schema.sql"));
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  if (*schema != committed) {
    const auto made = covey::test::build_path("schema.sql");
    std::ofstream(made) << *schema;
    FAIL() << "storage/sqlite/schema.sql is not what the migrations make; that is in " << made;
  }
}

TEST(Migrations, RunOnce) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(*database.number("PRAGMA user_version"), static_cast<int64_t>(migrations().size()));
}

TEST(Migrations, RefuseAFileOfANewerVersion) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  ASSERT_TRUE(database.run("PRAGMA user_version = 99"));
  const Status refused = migrate(database);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "STORE_TOO_NEW");
  EXPECT_NE(refused.error().message.find("schema 99"), std::string::npos);
}

TEST(Migrations, RefuseAFileOfAnotherProgram) {
  Database database = memory();
  ASSERT_TRUE(database.run("PRAGMA user_version = 1"));
  EXPECT_EQ(migrate(database).error().reason, "STORE_CORRUPT");
}

// A site from before the counters: each device of a rollout counts once, by its newest attempt, and
// once more where it was sent back.
TEST(Migrations, CountTheDeploymentsThatAreThere) {
  Database database = memory();
  for (size_t i = 0; i < 2; ++i) ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  const auto add = [&](const std::string& number, const std::string& device,
                       const std::string& rollout, const std::string& cause,
                       const std::string& state) {
    const std::string values = number + ", '" + device + "', 'm', 1, 0, 0, x'00', NULL, " +
                               rollout + ", 0, '" + cause + "', '" + state +
                               "', 1, 1, '', 0, 0, 1, 0, 0, 0, 0, 0";
    ASSERT_TRUE(database.run("INSERT INTO deployments VALUES (" + values + ")")) << values;
  };
  add("1", "a", "'r'", "ROLLOUT", "FAILED");
  add("2", "a", "'r'", "ROLLOUT", "CONFIRMED");
  add("3", "b", "'r'", "ROLLOUT", "CONFIRMED");
  add("4", "a", "'r'", "ROLLBACK", "QUEUED");
  add("5", "c", "NULL", "ASSIGNMENT", "CONFIRMED");
  for (size_t i = 2; i < migrations().size(); ++i) {
    ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  }
  EXPECT_EQ(*database.number("SELECT count(*) FROM rollout_counts"), 2);
  EXPECT_EQ(*database.number("SELECT devices FROM rollout_counts WHERE rollout = 'r' "
                             "AND rollback = 0 AND state = 'CONFIRMED'"),
            2);
  EXPECT_EQ(*database.number("SELECT devices FROM rollout_counts WHERE rollback = 1 "
                             "AND state = 'QUEUED'"),
            1);
}

// Totals from before energy and health go on: as of a device that never told anything.
TEST(Migrations, KeepTheTotalsThatAreThere) {
  Database database = memory();
  for (size_t i = 0; i < 4; ++i) ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  ASSERT_TRUE(database.run("INSERT INTO totals VALUES ('a', x'00', 'fleet', 100, 10, 1, 2, 3, 4)"));
  for (size_t i = 4; i < migrations().size(); ++i) {
    ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  }
  EXPECT_EQ(*database.number("SELECT inferences FROM totals"), 100);
  EXPECT_EQ(*database.number("SELECT quarantined FROM totals"), 4);
  EXPECT_EQ(*database.number("SELECT energy_inferences + energy_sum_uj + rejects + drops + "
                             "saturated + watchdog_resets + heap_free_min_bytes + "
                             "arena_used_max_bytes + stack_used_max_bytes FROM totals"),
            0);
}

// Requests from before they were numbered: older ones are of older rollouts.
TEST(Migrations, NumberTheRequestsThatAreThere) {
  Database database = memory();
  for (size_t i = 0; i < 5; ++i) ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  for (const char* values : {"'old', 100", "'new', 300", "'between', 200"}) {
    ASSERT_TRUE(database.run(fmt::format(
        "INSERT INTO rollouts (rollout, create_wall_ms, document, state, reason, explanation, "
        "stages, ends, holdback, creator, now, end_wall_ms, revision) "
        "VALUES ({}, '', '', '', '', '', '', 0, '', 0, 0, 0)",
        values)));
  }
  for (const char* values : {"'b', 'new'", "'c', 'old'", "'a', 'between'", "'d', 'gone'"}) {
    ASSERT_TRUE(database.run(fmt::format("INSERT INTO requests VALUES ({}, x'00')", values)));
  }
  for (size_t i = 5; i < migrations().size(); ++i) {
    ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  }
  EXPECT_EQ(*database.text("SELECT group_concat(request_id || sequence) FROM "
                           "(SELECT * FROM requests ORDER BY sequence)"),
            "d1,c2,a3,b4");
}

// What was one row becomes two.
TEST(Migrations, KeepTheRolloutsThatAreThere) {
  Database database = memory();
  for (size_t i = 0; i < 6; ++i) ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  ASSERT_TRUE(
      database.run("INSERT INTO rollouts (rollout, create_wall_ms, document, state, reason, "
                   "explanation, stages, ends, holdback, creator, now, end_wall_ms, revision) "
                   "VALUES ('r', 100, 'plan', 'PAUSED', 'why', 'so', 'stages', '[1]', 2, 'alice', "
                   "0, 300, 7)"));
  for (size_t i = 6; i < migrations().size(); ++i) {
    ASSERT_TRUE(database.run(std::string(migrations()[i].sql)));
  }
  EXPECT_EQ(*database.text("SELECT document || ends || holdback || creator || create_wall_ms "
                           "FROM rollout_plans WHERE rollout = 'r'"),
            "plan[1]2alice100");
  EXPECT_EQ(*database.text("SELECT state || reason || explanation || stages || end_wall_ms || "
                           "revision FROM rollouts WHERE rollout = 'r'"),
            "PAUSEDwhysostages3007");
}

const char* type_of(rows::Kind kind) {
  constexpr std::array kTypes = {"INTEGER", "TEXT", "BLOB"};
  return kTypes[static_cast<size_t>(kind)];
}

struct TableInfo {
  std::string name;
  std::string type;
  int64_t not_null = 0;
  int64_t key = 0;  // place in the primary key, from 1
};
std::vector<TableInfo> info_of(Database& database, const std::string& table) {
  Result<Statement*> found =
      database.cached("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?)");
  EXPECT_TRUE(found) << found.error().message;
  (*found)->text(table);
  std::vector<TableInfo> columns;
  while (*(*found)->step()) {
    Row row(**found);
    TableInfo& column = columns.emplace_back();
    column.name = row.text();
    column.type = row.text();
    column.not_null = row.integer();
    column.key = row.integer();
  }
  (*found)->reset();
  return columns;
}

void expect_columns(Database& database, const rows::Table& table, const std::string& name) {
  SCOPED_TRACE(name);
  std::map<std::string, TableInfo> found;
  for (TableInfo& column : info_of(database, name)) found[column.name] = column;
  // The place of a row in a log is the store's own, where the record has none; the record's key is
  // unique beside it.
  const bool placed = std::any_of(table.columns.begin(), table.columns.end(),
                                  [](const auto& column) { return column.name == "position"; });
  const bool log = found.contains("position") && !placed;
  if (log) found.erase("position");
  EXPECT_EQ(found.size(), table.columns.size());
  for (const rows::TableColumn& column : table.columns) {
    SCOPED_TRACE(column.name);
    ASSERT_TRUE(found.contains(column.name));
    const TableInfo& there = found[column.name];
    EXPECT_EQ(there.type, type_of(column.kind));
    EXPECT_EQ(column.nullable, there.not_null == 0 && there.key == 0);
    if (!log) {
      EXPECT_EQ(column.key, there.key != 0);
    }
  }
}

template <typename... Record>
void expect_all_columns(Database& database, std::tuple<Record...>) {
  (expect_columns(database, rows::table_of<Record>(), rows::table_of<Record>().name), ...);
}

TEST(Migrations, MakeTheColumnsOfEveryRecord) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  expect_all_columns(database, rows::Records{});
  expect_columns(database, rows::table_of<Deployment>(), "past_deployments");
}

}  // namespace
}  // namespace covey::sqlite
