// SPDX-License-Identifier: Apache-2.0
// The Store in SQLite: DATA/covey.db (with -wal and -shm), DATA/lock, DATA/reserve. WAL with
// synchronous=FULL; this object's connection is the only one that writes and checkpoints
// (docs/design/libraries.md, "SQLite": 3.40.1 corrupts the file otherwise). Readers are query_only
// connections.
// Threading: commit() and load() on one thread; reader(), condition() and backup() on any; a Reader
// by one thread at a time and never beyond the store's life.
// Errors of open(): LOCKED, STORE_TOO_NEW, STORE_FOREIGN, STORE_CORRUPT, STORE_IO, DISK_FULL. After
// a commit failed every later one gives the same error: what the caller holds is ahead of the disk,
// it must start again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "storage/sqlite/data_lock.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/writer.hpp"
#include "storage/store.hpp"

namespace covey {

struct SqliteOptions {
  std::string vfs;              // "": the system's
  uint32_t max_page_count = 0;  // 0: no limit
  uint32_t wal_autocheckpoint_pages = 2000;
  // Kept as a file that is given up when the disk is full, so that old rows can be forgotten.
  uint64_t reserve_bytes = 16U << 20U;
};

class SqliteStore final : public Store {
  struct Token {};  // only open() makes one

 public:
  SqliteStore(Token, std::filesystem::path data_dir, SqliteOptions options, sqlite::DataLock lock)
      : data_dir_(std::move(data_dir)), options_(std::move(options)), lock_(std::move(lock)) {}
  // Creates the directory (owner only) and the database where they are missing.
  static Result<std::unique_ptr<SqliteStore>> open(const std::filesystem::path& data_dir,
                                                   SqliteOptions options);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Status commit(std::span<const Write> writes) override;
  // The first time: an empty snapshot.
  Result<Snapshot> load(const LoadLimits& limits) override;
  Status replay(uint64_t position, const std::function<Status(const ReportRecord&)>& each) override;
  Result<std::unique_ptr<Reader>> reader() override;
  // Read-only: a commit failed, or the reserve was given up and the disk has no room for it again.
  // Recovered: a start would find room for the reserve and as much again.
  Condition condition() const override;
  // A covey.db to put into an empty data directory.
  Status backup(const std::filesystem::path& to) override;

  // On a full disk, before load(): forgets, gives the freed pages and the log back to the disk, and
  // looks again whether it is full. Errors: as commit(), but the store stays usable.
  Status reclaim(const Forget& old);

 private:
  std::string database_path() const { return (data_dir_ / "covey.db").string(); }
  Status open_database();
  Status write(std::span<const Write> writes);
  void keep_reserve();
  void give_up_reserve();
  void set_read_only(std::optional<Error> why);
  std::optional<uint64_t> free_bytes() const;
  bool has_room() const;

  std::filesystem::path data_dir_;
  SqliteOptions options_;
  sqlite::DataLock lock_;
  std::optional<sqlite::Database> database_;
  std::optional<sqlite::Writer> writer_;  // with database_
  Status health_;                         // the first failure of a commit stays
  mutable std::mutex condition_mutex_;
  std::optional<Error> read_only_;  // guarded by condition_mutex_
};

}  // namespace covey
