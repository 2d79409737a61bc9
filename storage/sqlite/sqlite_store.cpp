// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/sqlite_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "storage/sqlite/backup.hpp"
#include "storage/sqlite/migrations.hpp"
#include "storage/sqlite/snapshot.hpp"
#include "storage/sqlite/sqlite_reader.hpp"

namespace covey {
namespace {

using sqlite::Database;

Error directory_error(const std::filesystem::path& path, const std::error_code& error) {
  return {Code::kUnavailable, "STORE_IO",
          "can't create the data directory " + path.string() + ": " + error.message() +
              ": check its owner and permissions, or choose another with --data"};
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::filesystem::path& data_dir,
                                                       SqliteOptions options) {
  std::error_code error;
  const bool created = std::filesystem::create_directories(data_dir, error);
  if (error) return directory_error(data_dir, error);
  if (created) std::filesystem::permissions(data_dir, std::filesystem::perms::owner_all, error);
  if (error) return directory_error(data_dir, error);
  Result<sqlite::DataLock> lock = sqlite::DataLock::acquire(data_dir);
  if (!lock) return lock.error();
  auto store =
      std::make_unique<SqliteStore>(Token{}, data_dir, std::move(options), *std::move(lock));
  store->keep_reserve();
  Status opened = store->open_database();
  if (!opened && opened.error().reason == "DISK_FULL" && !store->condition().read_only) {
    store->give_up_reserve();
    opened = store->open_database();
  }
  if (!opened) return opened.error();
  return store;
}

SqliteStore::~SqliteStore() {
  const bool opened = database_.has_value();
  writer_.reset();
  database_.reset();
  // After an error the next start looks at every page.
  if (opened && health_) lock_.release_clean();
}

Status SqliteStore::open_database() {
  const std::string path = database_path();
  // The site's secrets are in there, if sealed: for the owner only, as are -wal and -shm, which
  // copy the mode.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  Result<Database> database =
      Database::open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options_.vfs);
  if (!database) return database.error();
  if (Status ours = sqlite::check_ours(*database, path); !ours) {
    if (ours.error().reason != "STORE_CORRUPT") return ours;
    return Error{Code::kDataLoss, "STORE_CORRUPT", path + ": " + ours.error().message};
  }
  // auto_vacuum counts in a new file only: later a full disk can get pages back, see reclaim().
  std::string settings =
      "PRAGMA auto_vacuum = INCREMENTAL;"
      "PRAGMA mmap_size = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
      "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
      // What was forgotten is overwritten, so that a copy of the file does not have it.
      "PRAGMA secure_delete = FAST;"
      "PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = " +
      fmt::to_string(options_.wal_autocheckpoint_pages);
  if (Status set = database->run(settings); !set) {
    Error error = set.error();
    error.message = path + ": " + error.message;
    return error;
  }
  const Result<std::string> mode = database->text("PRAGMA journal_mode");
  if (!mode) return mode.error();
  if (*mode != "wal") {
    return Error{Code::kUnavailable, "STORE_IO",
                 "SQLite can't use a write-ahead log in " + data_dir_.string() +
                     ": put the data directory on a local disk"};
  }
  if (lock_.previous_stop_was_unclean()) {
    const Result<std::string> check = database->text("PRAGMA quick_check(1)");
    if (!check) return check.error();
    if (*check != "ok")
      return sqlite::corrupt("covey.db, quick_check after an unclean stop: " + *check);
  }
  if (Status migrated = sqlite::migrate(*database); !migrated) return migrated;
  if (options_.max_page_count != 0) {
    const std::string limit = fmt::format("PRAGMA max_page_count = {}", options_.max_page_count);
    if (Status set = database->run(limit); !set) return set;
  }
  database_.emplace(*std::move(database));
  writer_.emplace(*database_);
  return {};
}

std::optional<uint64_t> SqliteStore::free_bytes() const {
  struct statvfs disk {};
  if (statvfs(data_dir_.c_str(), &disk) != 0) return std::nullopt;
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
}

bool SqliteStore::has_room() const {
  return free_bytes().value_or(0) >= 2 * options_.reserve_bytes;
}

Condition SqliteStore::condition() const {
  Condition now{.free_bytes = free_bytes()};
  const std::lock_guard lock(condition_mutex_);
  now.read_only = read_only_;
  now.recovered = read_only_ && read_only_->reason == "DISK_FULL" && has_room();
  return now;
}

void SqliteStore::set_read_only(std::optional<Error> why) {
  const std::lock_guard lock(condition_mutex_);
  read_only_ = std::move(why);
}

void SqliteStore::give_up_reserve() {
  set_read_only(Error{Code::kResourceExhausted, "DISK_FULL",
                      fmt::format("the disk of {} is full", data_dir_.string())});
  unlink((data_dir_ / "reserve").c_str());
}

void SqliteStore::keep_reserve() {
  set_read_only(std::nullopt);
  if (options_.reserve_bytes == 0) return;
  const std::string path = (data_dir_ / "reserve").string();
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 &&
      static_cast<uint64_t>(status.st_size) >= options_.reserve_bytes) {
    // With less than this a start would fail somewhere on its way: better to know it here.
    if (free_bytes().value_or(0) < options_.reserve_bytes / 4) give_up_reserve();
    return;
  }
  // Taking the last bytes would only fill the disk again.
  if (!has_room()) return give_up_reserve();
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  const int result = posix_fallocate(file, 0, static_cast<off_t>(options_.reserve_bytes));
  ::close(file);
  if (result == ENOSPC) return give_up_reserve();
  if (result != 0) unlink(path.c_str());
}

Status SqliteStore::write(std::span<const Write> writes) {
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  for (const Write& each : writes) {
    if (Status written = writer_->write(each); !written) return written;
  }
  return transaction->commit();
}

Status SqliteStore::commit(std::span<const Write> writes) {
  if (!health_) return health_;
  Status written = write(writes);
  if (written) return written;
  health_ = written;
  if (written.error().reason == "DISK_FULL") {
    give_up_reserve();
  } else {
    set_read_only(written.error());
  }
  return written;
}

Status SqliteStore::reclaim(const Forget& old) {
  const std::vector<Write> forget{old};
  Status done = write(forget);
  // The pages go back to the file system with the checkpoint, and so does the log.
  if (done) done = database_->run("PRAGMA incremental_vacuum");
  const Status truncated = database_->run("PRAGMA wal_checkpoint(TRUNCATE)");
  keep_reserve();
  return done ? truncated : done;
}

Result<Snapshot> SqliteStore::load(const LoadLimits& limits) {
  return sqlite::load_snapshot(*database_, limits);
}

Status SqliteStore::replay(uint64_t position,
                           const std::function<Status(const ReportRecord&)>& each) {
  return sqlite::replay_reports(*database_, position, each);
}

Result<std::unique_ptr<Reader>> SqliteStore::reader() {
  return sqlite::open_reader(database_path(), options_.vfs);
}

Status SqliteStore::backup(const std::filesystem::path& to) {
  return sqlite::back_up(database_path(), options_.vfs, to);
}

}  // namespace covey
