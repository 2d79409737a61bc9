// SPDX-License-Identifier: Apache-2.0
#include "storage/rows/records.hpp"

#include <gtest/gtest.h>

#include "tests/unit/storage/random_writes.hpp"
#include "tests/unit/storage/row_values.hpp"

namespace covey::rows {
namespace {

using test::RowValues;
using test::Value;

template <typename Record>
void expect_kept(const Record& record) {
  RowValues row;
  bind(row, record);
  EXPECT_EQ(row.values.size(), table_of<Record>().columns.size());
  Record back;
  read(row, back);
  ASSERT_TRUE(row.status()) << row.status().error().message;
  EXPECT_TRUE(row.at_end());
  EXPECT_TRUE(back == record) << test::difference(back, record);
}

TEST(Rows, KeepEveryMember) {
  test::RandomWrites random(7);
  const auto of = [&](size_t kind) { return random.make(kind); };
  for (int i = 0; i < 50; ++i) {
    expect_kept(std::get<PutSite>(of(0)).site);
    expect_kept(std::get<PutDevice>(of(1)).device);
    expect_kept(std::get<PutTrustedKey>(of(2)).key);
    expect_kept(std::get<PutGates>(of(6)).gates);
    expect_kept(std::get<PutDeployment>(of(7)).deployment);
    expect_kept(std::get<PutAssignment>(of(8)).assignment);
    expect_kept(std::get<PutRequest>(of(9)).request);
    expect_kept(std::get<PutStream>(of(10)).stream);
    expect_kept(std::get<PutTotal>(of(12)).total);
    expect_kept(std::get<PutWindow>(of(13)).window);
    expect_kept(std::get<PutSample>(of(14)).sample);
    expect_kept(std::get<PutLabel>(of(15)).label);
    expect_kept(std::get<PutAlert>(of(16)).alert);
    expect_kept(std::get<AppendReport>(of(17)).report);
    expect_kept(std::get<AppendEvent>(of(18)).event);
    expect_kept(std::get<AppendAudit>(of(19)).entry);
    expect_kept(std::get<PutCount>(of(23)).count);
    expect_kept(std::get<PutToken>(of(31)).token);
    expect_kept(std::get<PutRoot>(of(35)).root);
    expect_kept(std::get<PutSiteSecret>(of(36)).secret);
  }
}

TEST(Rows, NameTheFirstColumnThatDiffers) {
  EXPECT_NE(test::difference(CountRecord{.devices = 3}, CountRecord{.devices = 4}).find("devices"),
            std::string::npos);
}

TEST(Rows, RefuseWhatWasNeverWritten) {
  const auto refused = [](size_t column, Value value) {
    RowValues row;
    bind(row, Deployment{.release = {ModelName("m"), {}}});
    row.values.at(column) = std::move(value);
    Deployment back;
    read(row, back);
    return row.status() ? std::string() : row.status().error().message;
  };
  EXPECT_EQ(refused(3, int64_t{5}), "");
  EXPECT_EQ(refused(3, int64_t{-1}), "out of range");
  EXPECT_EQ(refused(3, int64_t{1} << 32), "out of range");
  EXPECT_EQ(refused(6, Bytes(31)), "31 bytes, not 32");
  EXPECT_EQ(refused(11, std::string("SLEEPING")), "unknown word \"SLEEPING\"");
  EXPECT_EQ(refused(17, int64_t{2}), "neither 0 nor 1");
}

TEST(Rows, AGroupIsThereOrNull) {
  monitoring::Alert alert;
  RowValues without;
  bind(without, alert);
  EXPECT_EQ(without.values.back(), Value(test::Null{}));
  alert.acknowledged = {"anna", "", Millis{7}};
  RowValues with;
  bind(with, alert);
  EXPECT_EQ(with.values.back(), Value(int64_t{7}));
  EXPECT_EQ(with.values.size(), without.values.size());
}

TEST(Rows, MakeStatements) {
  const Table& counts = table_of<CountRecord>();
  EXPECT_EQ(put_sql(counts),
            "INSERT INTO rollout_counts (rollout, stage, rollback, state, devices) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (rollout, stage, rollback, state) "
            "DO UPDATE SET devices = excluded.devices");
  EXPECT_EQ(put_changed_sql(counts),
            put_sql(counts) + " WHERE rollout_counts.devices IS DISTINCT FROM excluded.devices");
  EXPECT_EQ(append_sql(table_of<ReportRecord>()),
            "INSERT INTO reports (position, device, boot_id, manifest, sequence, wall_ms, cohort, "
            "placed_wall_ms, checked, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING");
  EXPECT_EQ(remove_sql(counts),
            "DELETE FROM rollout_counts "
            "WHERE rollout = ? AND stage = ? AND rollback = ? AND state = ?");
  EXPECT_EQ(
      select_sql(table_of<RequestRecord>(), order_by_key(table_of<RequestRecord>())).substr(0, 17),
      "SELECT request_id");
}

}  // namespace
}  // namespace covey::rows
