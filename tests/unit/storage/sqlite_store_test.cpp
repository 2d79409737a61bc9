// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include <fmt/format.h>

#include "tests/unit/storage/random_writes.hpp"
#include "tests/unit/storage/temporary_folder.hpp"

namespace covey {
namespace {

class SqliteStoreTest : public testing::Test {
 protected:
  std::unique_ptr<SqliteStore> open(SqliteOptions options = {.reserve_bytes = 0}) {
    Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(data(), std::move(options));
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  Error refused(SqliteOptions options = {.reserve_bytes = 0}) {
    const Result<std::unique_ptr<SqliteStore>> store =
        SqliteStore::open(data(), std::move(options));
    EXPECT_FALSE(store);
    return store ? Error{} : store.error();
  }
  std::filesystem::path data() const { return folder_.path() / "data"; }
  std::string lock_text() const {
    std::ifstream file(data() / "lock");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  test::TemporaryFolder folder_;
};

std::vector<Write> site(uint32_t epoch) { return {PutSite{{.site_epoch = epoch}}}; }

TEST_F(SqliteStoreTest, ASecondStartIsRefusedAndNamesTheFirst) {
  const auto store = open();
  const Error error = refused();
  EXPECT_EQ(error.reason, "LOCKED");
  EXPECT_NE(error.message.find("process " + std::to_string(getpid())), std::string::npos)
      << error.message;
}

TEST_F(SqliteStoreTest, TheLockFileTellsHowTheLastStopWas) {
  auto store = open();
  EXPECT_EQ(lock_text(), std::to_string(getpid()) + "\n");
  store.reset();
  EXPECT_EQ(lock_text(), "");
}

TEST_F(SqliteStoreTest, FilesAreTheOwnersOnly) {
  const auto store = open();
  ASSERT_TRUE(store->commit(site(2)));
  for (const char* name : {"", "covey.db", "covey.db-wal", "lock"}) {
    struct stat status {};
    ASSERT_EQ(stat((data() / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0077U, 0U) << name;
  }
}

TEST_F(SqliteStoreTest, DamageIsFoundAfterAnUncleanStop) {
  auto store = open();
  test::RandomWrites random(1);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->commit(random.batch(40)));
  store.reset();  // everything is in covey.db now
  {
    std::fstream file(data() / "covey.db", std::ios::in | std::ios::out | std::ios::binary);
    for (int64_t page = 3; page < 40; ++page) {
      file.seekp(page * 4096);
      file << "this was a page of a table";
    }
  }
  std::ofstream(data() / "lock") << "1\n";
  const Error error = refused();
  EXPECT_EQ(error.reason, "STORE_CORRUPT");
  EXPECT_NE(error.message.find("restore"), std::string::npos);
  EXPECT_NE(lock_text(), "") << "the next start must check again";
}

TEST_F(SqliteStoreTest, AFileThatIsNoDatabaseIsRefused) {
  std::filesystem::create_directories(data());
  std::ofstream(data() / "covey.db") << std::string(8192, 'x');
  EXPECT_EQ(refused().reason, "STORE_CORRUPT");
}

// It is not damaged, and stays as it is: nothing is made in it.
TEST_F(SqliteStoreTest, AnotherProgramsDatabaseIsLeftAlone) {
  std::filesystem::create_directories(data());
  const std::string path = (data() / "covey.db").string();
  {
    Result<sqlite::Database> other =
        sqlite::Database::open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "");
    ASSERT_TRUE(other);
    ASSERT_TRUE(other->run("CREATE TABLE songs (name TEXT); INSERT INTO songs VALUES ('x')"));
  }
  const auto content = [&] {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = content();
  const Error error = refused();
  EXPECT_EQ(error.reason, "STORE_FOREIGN");
  EXPECT_NE(error.message.find("another program"), std::string::npos) << error.message;
  EXPECT_EQ(content(), before);
}

TEST_F(SqliteStoreTest, AnUnknownWordInARowIsNamed) {
  auto store = open();
  Device device;
  device.id = DeviceId("dev-1");
  ASSERT_TRUE(store->commit(std::vector<Write>{PutDevice{device}}));
  store.reset();
  {
    Result<sqlite::Database> database =
        sqlite::Database::open((data() / "covey.db").string(), SQLITE_OPEN_READWRITE, "");
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->run("UPDATE devices SET state = 'SLEEPING'"));
  }
  const Result<Snapshot> loaded = open()->load({});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().reason, "STORE_CORRUPT");
  EXPECT_NE(loaded.error().message.find("devices.state: unknown word \"SLEEPING\""),
            std::string::npos)
      << loaded.error().message;
}

// Of a deleted release the images are gone from the disk, and all that names it is there.
TEST_F(SqliteStoreTest, ADeletedReleaseHasNoImageAndKeepsTheRest) {
  test::RandomWrites random(1);
  auto store = open();
  ReleaseRecord release;
  do {
    release = std::get<PutRelease>(random.make(4)).release;
  } while (release.delete_wall.count() != 0);
  ASSERT_TRUE(store->commit(std::vector<Write>{PutRelease{release}}));
  release.delete_wall = 1s;
  const Artifact whole = *release.artifacts[0].artifact;
  release.artifacts[0].artifact = std::make_shared<const Artifact>(without_image(whole));
  ASSERT_TRUE(store->commit(std::vector<Write>{PutRelease{release}}));
  const Result<Snapshot> loaded = store->load({});
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->releases.size(), 1U);
  EXPECT_EQ(loaded->releases[0], release);
  const Artifact& left = *loaded->releases[0].artifacts[0].artifact;
  EXPECT_TRUE(left.image.empty());
  EXPECT_EQ(left.manifest.image_size_bytes, whole.manifest.image_size_bytes);
  EXPECT_EQ(left.gateway_part_bytes, whole.gateway_part_bytes);
  // Without its images, but not deleted: damaged.
  release.delete_wall = 0s;
  ASSERT_TRUE(store->commit(std::vector<Write>{PutRelease{release}}));
  EXPECT_EQ(store->load({}).error().reason, "STORE_CORRUPT");
}

TEST_F(SqliteStoreTest, AnArtifactOpensWithoutItsKeyAndNeverDamaged) {
  test::RandomWrites random(1);
  auto store = open();
  ReleaseRecord release;  // no trusted key
  do {
    release = std::get<PutRelease>(random.make(4)).release;
  } while (release.delete_wall.count() != 0);
  ASSERT_TRUE(store->commit(std::vector<Write>{PutRelease{release}}));
  const Result<Snapshot> whole = store->load({});
  ASSERT_TRUE(whole) << whole.error().message;
  const Artifact& artifact = *whole->releases.at(0).artifacts.at(0).artifact;
  EXPECT_NE(artifact.signed_by, KeyId{});
  EXPECT_FALSE(artifact.image.empty());
  EXPECT_FALSE(artifact.chunk_table.empty());
  store.reset();
  {
    Result<sqlite::Database> database =
        sqlite::Database::open((data() / "covey.db").string(), SQLITE_OPEN_READWRITE, "");
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->run("UPDATE artifacts SET image = zeroblob(length(image))"));
  }
  const Result<Snapshot> damaged = open()->load({});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().reason, "STORE_CORRUPT");
  EXPECT_NE(damaged.error().message.find(to_string(artifact.manifest.release())), std::string::npos)
      << damaged.error().message;
}

TEST_F(SqliteStoreTest, AFullDiskFailsTheCommitAndAllThatFollow) {
  constexpr uint64_t kReserve = 1U << 20U;
  ASSERT_TRUE(open()->commit(site(1)));
  auto store = open({.max_page_count = 80, .reserve_bytes = kReserve});
  EXPECT_EQ(std::filesystem::file_size(data() / "reserve"), kReserve);
  EXPECT_FALSE(store->condition().read_only);
  uint32_t acknowledged = 1;
  Status committed;
  for (uint32_t epoch = 2; committed; ++epoch) {
    std::vector<Write> writes = site(epoch);
    writes.push_back(AppendReport{{.position = epoch, .payload = Bytes(10'000, 7)}});
    committed = store->commit(writes);
    if (committed) acknowledged = epoch;
  }
  EXPECT_EQ(committed.error().reason, "DISK_FULL");
  EXPECT_GT(acknowledged, 5U);
  EXPECT_EQ(store->commit(site(999)).error().reason, "DISK_FULL");
  const Condition now = store->condition();
  ASSERT_TRUE(now.read_only);
  EXPECT_EQ(now.read_only->reason, "DISK_FULL");
  EXPECT_TRUE(now.recovered) << "the real disk has room";
  EXPECT_FALSE(std::filesystem::exists(data() / "reserve"));
  // Reads still work, and show what was acknowledged; so do they after a restart.
  EXPECT_EQ(store->load({})->site.site_epoch, acknowledged);
  store = nullptr;
  EXPECT_NE(lock_text(), "");
  store = open();
  EXPECT_EQ(store->load({})->site.site_epoch, acknowledged);
  ASSERT_TRUE(store->commit(std::vector<Write>{Forget{.reports_before = Millis{1}}}));
}

TEST_F(SqliteStoreTest, ReclaimingGivesForgottenRowsBackToTheDisk) {
  auto store = open();
  ASSERT_TRUE(store->commit(std::vector<Write>{PutSite{{.reports_settled = 50}}}));
  for (uint64_t i = 0; i < 50; ++i) {
    const ReportRecord report{
        .position = i + 1, .wall = Millis{i < 40 ? 1 : 1000}, .payload = Bytes(20'000, 7)};
    ASSERT_TRUE(store->commit(std::vector<Write>{AppendReport{report}}));
  }
  store = nullptr;  // everything is in covey.db now
  const uint64_t before = std::filesystem::file_size(data() / "covey.db");
  store = open();
  const Status reclaimed = store->reclaim({.reports_before = Millis{2}});
  ASSERT_TRUE(reclaimed) << reclaimed.error().message;
  EXPECT_LT(std::filesystem::file_size(data() / "covey.db"), before / 2);
  EXPECT_EQ(std::filesystem::file_size(data() / "covey.db-wal"), 0U);
  EXPECT_FALSE(store->condition().read_only);
  ASSERT_TRUE(store->commit(site(7)));
  EXPECT_EQ(store->load({})->site.site_epoch, 7U);
}

TEST_F(SqliteStoreTest, ADiskWithoutRoomForTheReserveIsFullAtTheStart) {
  // More than any disk offers: so nothing is allocated either.
  const auto store = open({.reserve_bytes = uint64_t{1} << 60U});
  const Condition now = store->condition();
  ASSERT_TRUE(now.read_only);
  EXPECT_EQ(now.read_only->reason, "DISK_FULL");
  EXPECT_FALSE(now.recovered);
  EXPECT_GT(now.free_bytes.value_or(0), 0U);
  EXPECT_FALSE(std::filesystem::exists(data() / "reserve"));
  EXPECT_TRUE(store->load({}));
}

TEST_F(SqliteStoreTest, CommitsGoOnWhileABackupIsMade) {
  const auto store = open({.wal_autocheckpoint_pages = 20, .reserve_bytes = 0});
  for (uint64_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(store->commit(
        std::vector<Write>{AppendReport{{.position = i, .payload = Bytes(100'000, 7)}}}));
  }
  std::vector<std::filesystem::path> copies;
  for (int i = 0; i < 4; ++i) copies.push_back(data() / fmt::format("copy{}.db", i));
  std::atomic<bool> done{false};
  std::thread copier([&] {
    for (const std::filesystem::path& copy : copies) EXPECT_TRUE(store->backup(copy));
    done = true;
  });
  // Both rows of a commit are in a copy, or none.
  uint32_t number = 1;
  for (; !done; ++number) {
    AuditRecord entry;
    entry.sequence = number;
    EXPECT_TRUE(store->commit(
        std::vector<Write>{PutSite{{.site_epoch = number}}, AppendAudit{std::move(entry)}}));
  }
  copier.join();
  for (const std::filesystem::path& copy : copies) {
    EXPECT_EQ(std::filesystem::status(copy).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    Result<sqlite::Database> database =
        sqlite::Database::open(copy.string(), SQLITE_OPEN_READWRITE, "");
    ASSERT_TRUE(database);
    EXPECT_EQ(*database->text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(*database->number("SELECT count(*) FROM reports"), 50);
    EXPECT_EQ(*database->number("SELECT coalesce(max(site_epoch), 0) FROM site"),
              *database->number("SELECT coalesce(max(sequence), 0) FROM audit"));
  }
  EXPECT_EQ(store->load({})->site.site_epoch, number - 1);
}

TEST_F(SqliteStoreTest, ABackupThatFailsLeavesNothing) {
  const auto store = open();
  EXPECT_EQ(store->backup(data() / "missing" / "copy.db").error().reason, "STORE_IO");
  EXPECT_TRUE(store->commit(site(3)));
  EXPECT_FALSE(store->condition().read_only);
}

TEST_F(SqliteStoreTest, ReadersSeeCommitsAndNeverWrite) {
  const auto store = open({.wal_autocheckpoint_pages = 20, .reserve_bytes = 0});
  Result<std::unique_ptr<Reader>> reader = store->reader();
  ASSERT_TRUE(reader) << reader.error().message;
  for (uint64_t i = 1; i <= 200; ++i) {
    AuditRecord entry;
    entry.sequence = i;
    entry.detail = std::string(500, 'x');
    ASSERT_TRUE(store->commit(std::vector<Write>{AppendAudit{entry}}));
    if (i % 50 == 0) {
      EXPECT_EQ((*reader)->audit({.limit = 1})->at(0).sequence, i);
    }
  }
  // The reader held no view between its calls: the log was checkpointed and started anew.
  EXPECT_LT(std::filesystem::file_size(data() / "covey.db-wal"), 200U * 4120U);
}

}  // namespace
}  // namespace covey
