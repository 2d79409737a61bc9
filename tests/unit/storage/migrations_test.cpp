#include "storage/sqlite/migrations.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "storage/sqlite/rows.hpp"

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
  std::ifstream file(COVEY_SOURCE_DIR "/storage/sqlite/schema.sql");
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  if (*schema != committed) {
    std::ofstream(COVEY_BINARY_DIR "/schema.sql") << *schema;
    FAIL() << "storage/sqlite/schema.sql is not what the migrations make; that is in "
           << COVEY_BINARY_DIR "/schema.sql";
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

template <typename Record>
void expect_table_agrees(Database& database) {
  const Table& table = RowOf<Record>::table();
  int64_t columns = static_cast<int64_t>(table.key.size() + table.rest.size());
  // The position of a log is the database's own.
  columns += *database.number("SELECT count(*) FROM pragma_table_info('" + table.name +
                              "') WHERE name = 'position' AND pk = 1");
  EXPECT_EQ(*database.number("SELECT count(*) FROM pragma_table_info('" + table.name + "')"),
            columns)
      << table.name;
}

TEST(Migrations, EveryColumnIsBound) {
  Database database = memory();
  ASSERT_TRUE(migrate(database));
  expect_table_agrees<SiteRecord>(database);
  expect_table_agrees<Device>(database);
  expect_table_agrees<TrustedKeyRecord>(database);
  expect_table_agrees<ReleaseRecord>(database);
  expect_table_agrees<StoredArtifact>(database);
  expect_table_agrees<Rollout>(database);
  expect_table_agrees<RolloutOrder>(database);
  expect_table_agrees<GateRecord>(database);
  expect_table_agrees<Deployment>(database);
  expect_table_agrees<CountRecord>(database);
  expect_table_agrees<AssignmentRecord>(database);
  expect_table_agrees<RequestRecord>(database);
  expect_table_agrees<StreamRecord>(database);
  expect_table_agrees<TotalRecord>(database);
  expect_table_agrees<WindowRecord>(database);
  expect_table_agrees<SampleRecord>(database);
  expect_table_agrees<LabelRecord>(database);
  expect_table_agrees<monitoring::Alert>(database);
  expect_table_agrees<ReportRecord>(database);
  expect_table_agrees<EventRecord>(database);
  expect_table_agrees<AuditRecord>(database);
}

}  // namespace
}  // namespace covey::sqlite
