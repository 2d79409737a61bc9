// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/storage/ledger.hpp"

#include <gtest/gtest.h>

#include "tests/unit/storage/random_writes.hpp"

namespace covey::test {

std::vector<Write> numbered_batch(uint64_t seed, uint64_t number) {
  RandomWrites random(seed * 1'000'003 + number, number * 1000);
  std::vector<Write> writes = random.batch(1 + random.below(40));
  // Retention would make batches small; once in a while is enough.
  if (number % 8 != 0) {
    std::erase_if(writes, [](const Write& write) { return std::holds_alternative<Forget>(write); });
  }
  SiteRecord site;
  site.revision = number;
  writes.push_back(PutSite{site});
  return writes;
}

uint64_t Ledger::check(const std::filesystem::path& data_dir, const SqliteOptions& options,
                       uint64_t acknowledged) {
  Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(data_dir, options);
  if (!store) {
    ADD_FAILURE() << store.error().message;
    return acknowledged;
  }
  const Result<Snapshot> found = (*store)->load({});
  if (!found) {
    ADD_FAILURE() << found.error().message;
    return acknowledged;
  }
  const uint64_t number = found->site.revision;
  EXPECT_GE(number, acknowledged) << "an acknowledged commit is lost";
  EXPECT_LE(number, acknowledged + 1) << "a commit that was never made";
  if (testing::Test::HasFailure()) return acknowledged;
  while (number_ < number) {
    EXPECT_TRUE(expected_.commit(numbered_batch(seed_, ++number_)));
  }
  expect_same(*found, *expected_.load({}));

  // History is not in the snapshot.
  Result<std::unique_ptr<Reader>> reader = (*store)->reader();
  Result<std::unique_ptr<Reader>> expected = expected_.reader();
  EXPECT_TRUE(reader && expected);
  if (reader && expected) {
    const Page all{.limit = 1'000'000};
    EXPECT_TRUE(*(*reader)->audit(all) == *(*expected)->audit(all));
    const RolloutName rollout("r1");
    EXPECT_TRUE(*(*reader)->events(rollout, all) == *(*expected)->events(rollout, all));
  }
  store = Error{};  // closed: only one connection may be there
  reader = Error{};
  Result<sqlite::Database> database =
      sqlite::Database::open((data_dir / "covey.db").string(), SQLITE_OPEN_READWRITE, options.vfs);
  EXPECT_TRUE(database);
  if (!database) return number;
  uint64_t bytes = 0;
  for (const ReportRecord& report : expected_.reports()) bytes += report.payload.size();
  EXPECT_EQ(*database->number("SELECT count(*) FROM reports"),
            static_cast<int64_t>(expected_.reports().size()));
  EXPECT_EQ(*database->number("SELECT coalesce(sum(length(payload)), 0) FROM reports"),
            static_cast<int64_t>(bytes));
  return number;
}

}  // namespace covey::test
