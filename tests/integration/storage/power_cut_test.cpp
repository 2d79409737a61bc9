// SPDX-License-Identifier: Apache-2.0
// Power cuts, I/O errors and a full disk at every kind of moment, on a disk that forgets what was
// not synced.
#include <gtest/gtest.h>

#include <random>

#include "tests/integration/storage/forgetful_disk.hpp"
#include "tests/integration/storage/ledger.hpp"
#include "tests/unit/storage/temporary_folder.hpp"

namespace covey {
namespace {

using test::ForgetfulDisk;

class PowerCut : public testing::TestWithParam<ForgetfulDisk::Fault> {};

TEST_P(PowerCut, LosesNothingAcknowledged) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  ForgetfulDisk disk(seed);
  test::TemporaryFolder folder;  // the lock only: the database is on the disk above
  const std::filesystem::path data = folder.path() / "data";
  const SqliteOptions options{
      .vfs = disk.vfs_name(), .wal_autocheckpoint_pages = 20, .reserve_bytes = 0};
  test::Ledger ledger(seed);
  uint64_t acknowledged = 0;
  uint64_t faults = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    // Early ones hit the creation of the file and its schema, or the recovery after the last cut.
    disk.fail_after(1 + random() % (round < 20 ? 40 : 2000), GetParam());
    {
      Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(data, options);
      // The first failure is for ever: the process would end.
      for (int i = 0; store && i < 200; ++i) {
        const Status committed =
            (*store)->commit(test::numbered_batch(ledger.seed(), acknowledged + 1));
        if (!committed) {
          EXPECT_FALSE((*store)->commit(std::vector<Write>{}));
          break;
        }
        ++acknowledged;
      }
      if (!store) {
        EXPECT_TRUE(disk.fault_happened()) << store.error().message;
      }
    }
    if (disk.fault_happened()) ++faults;
    disk.restart();
    acknowledged = ledger.check(data, options, acknowledged);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(faults, 20U);
  std::printf("%llu commits, %llu faults\n", static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(faults));
}

INSTANTIATE_TEST_SUITE_P(Faults, PowerCut,
                         testing::Values(ForgetfulDisk::Fault::kPowerCut,
                                         ForgetfulDisk::Fault::kIoError,
                                         ForgetfulDisk::Fault::kFull),
                         [](const auto& fault) {
                           switch (fault.param) {
                             case ForgetfulDisk::Fault::kPowerCut:
                               return "PowerCut";
                             case ForgetfulDisk::Fault::kIoError:
                               return "IoError";
                             case ForgetfulDisk::Fault::kFull:
                               return "Full";
                           }
                           return "";
                         });

// The disk itself: without it the test above would prove nothing.
TEST(ForgetfulDisk, ForgetsWhatWasNotSynced) {
  ForgetfulDisk disk(1);
  test::TemporaryFolder folder;
  const std::string path = (folder.path() / "covey.db").string();
  int64_t lost = 0;
  for (int round = 0; round < 20; ++round) {
    int64_t made = 0;
    {
      Result<sqlite::Database> database =
          sqlite::Database::open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, disk.vfs_name());
      ASSERT_TRUE(database) << database.error().message;
      // What Covey never does: without a sync at each commit.
      ASSERT_TRUE(
          database->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                        "CREATE TABLE IF NOT EXISTS t (n INTEGER)"));
      ASSERT_TRUE(database->run("DELETE FROM t; PRAGMA wal_checkpoint(TRUNCATE)"));
      disk.fail_after(20, ForgetfulDisk::Fault::kPowerCut);
      while (database->run("INSERT INTO t VALUES (1)")) ++made;
    }
    disk.restart();
    Result<sqlite::Database> database =
        sqlite::Database::open(path, SQLITE_OPEN_READWRITE, disk.vfs_name());
    ASSERT_TRUE(database) << database.error().message;
    lost += made - *database->number("SELECT count(*) FROM t");
    EXPECT_EQ(*database->text("PRAGMA quick_check"), "ok");
  }
  EXPECT_GT(lost, 20);
}

}  // namespace
}  // namespace covey
