#include "storage/sqlite/sqlite_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "storage/sqlite/migrations.hpp"
#include "storage/sqlite/rows.hpp"
#include "storage/sqlite/select.hpp"
#include "storage/sqlite/sqlite_reader.hpp"

namespace covey {
namespace {

using sqlite::Database;
using sqlite::RowOf;
using sqlite::Statement;

// Nothing is written where nothing changed: orders are large, and rollouts are put at every tick.
const char* const kPutOrder =
    "INSERT INTO rollout_orders (rollout, devices, excluded) VALUES (?, ?, ?) "
    "ON CONFLICT (rollout) DO UPDATE SET devices = excluded.devices, excluded = excluded.excluded "
    "WHERE devices <> excluded.devices OR rollout_orders.excluded <> excluded.excluded";

// One overload per Write: a new kind is a compile error here.
class Writer {
 public:
  explicit Writer(Database& database) : database_(database) {}

  Status operator()(const PutSite& w) { return put(w.site); }
  Status operator()(const PutDevice& w) { return put(w.device); }
  Status operator()(const PutTrustedKey& w) { return put(w.key); }
  Status operator()(const RemoveTrustedKey& w) {
    return run("DELETE FROM trusted_keys WHERE key_id = ?",
               [&](Statement& to) { to.text(w.key_id); });
  }
  Status operator()(const PutRelease& w) {
    if (Status done = put(w.release); !done) return done;
    const auto release = [&](Statement& to) { sqlite::bind(to, w.release.id); };
    Status done = run(
        "DELETE FROM artifacts WHERE model = ? AND major = ? AND minor = ? AND patch = ?", release);
    for (const ArtifactRecord& artifact : w.release.artifacts) {
      if (!done) return done;
      done = put(sqlite::StoredArtifact{artifact});
    }
    return done;
  }
  Status operator()(const PutRollout& w) {
    if (Status done = put(w.rollout); !done) return done;
    return run(kPutOrder, [&](Statement& to) {
      RowOf<sqlite::RolloutOrder>::bind(to, {w.rollout.name, w.rollout.order, w.rollout.excluded});
    });
  }
  Status operator()(const PutGates& w) { return put(w.gates); }
  Status operator()(const PutDeployment& w) { return put(w.deployment); }
  Status operator()(const ArchiveDeployment& w) {
    static const std::string columns = columns_of(RowOf<Deployment>::table());
    const auto number = [&](Statement& to) { to.number(w.number); };
    Status done = run("INSERT OR REPLACE INTO past_deployments (" + columns + ") SELECT " +
                          columns + " FROM deployments WHERE number = ?",
                      number);
    if (done) done = run("DELETE FROM deployments WHERE number = ?", number);
    return done;
  }
  Status operator()(const PutCount& w) { return put(w.count); }
  Status operator()(const PutAssignment& w) { return put(w.assignment); }
  Status operator()(const RemoveAssignment& w) {
    return run("DELETE FROM assignments WHERE number = ?",
               [&](Statement& to) { to.number(w.number); });
  }
  Status operator()(const PutRequest& w) { return put(w.request); }
  Status operator()(const PutStream& w) { return put(w.stream); }
  Status operator()(const RemoveStream& w) {
    return run(
        "DELETE FROM streams WHERE device = ? AND boot_id = ? AND manifest = ?",
        [&](Statement& to) { to.text(w.device.str()).number(w.boot_id).blob(w.manifest.bytes); });
  }
  Status operator()(const PutTotal& w) { return put(w.total); }
  Status operator()(const PutWindow& w) { return put(w.window); }
  Status operator()(const PutSample& w) { return put(w.sample); }
  Status operator()(const PutLabel& w) { return put(w.label); }
  Status operator()(const PutAlert& w) { return put(w.alert); }
  Status operator()(const AppendReport& w) { return append(w.report); }
  Status operator()(const AppendEvent& w) { return append(w.event); }
  Status operator()(const AppendAudit& w) { return append(w.entry); }
  Status operator()(const Forget& w) {
    const auto windows = [&](Statement& to) { to.integer(w.windows_before.count()); };
    const auto reports = [&](Statement& to) { to.integer(w.reports_before.count()); };
    Status done =
        run("DELETE FROM windows WHERE start_wall_ms < ?1 AND start_wall_ms + length_ms <= ?1",
            windows);
    if (done) done = run("DELETE FROM samples WHERE start_wall_ms < ?", windows);
    if (done) done = run("DELETE FROM labels WHERE wall_ms < ?", windows);
    if (done) done = run("DELETE FROM reports WHERE wall_ms < ?", reports);
    return done;
  }

 private:
  template <typename Bind>
  Status run(const std::string& sql, const Bind& bind) {
    Result<Statement*> statement = database_.cached(sql);
    if (!statement) return statement.error();
    bind(**statement);
    return (*statement)->run();
  }
  template <typename Record>
  Status put(const Record& record) {
    static const std::string sql = put_sql(RowOf<Record>::table());
    return run(sql, [&](Statement& to) { RowOf<Record>::bind(to, record); });
  }
  template <typename Record>
  Status append(const Record& record) {
    static const std::string sql = append_sql(RowOf<Record>::table());
    return run(sql, [&](Statement& to) { RowOf<Record>::bind(to, record); });
  }

  Database& database_;
};

Error directory_error(const std::filesystem::path& path, const std::error_code& error) {
  return {Code::kUnavailable, "STORE_IO",
          "can't create the data directory " + path.string() + ": " + error.message() +
              ": check its owner and permissions, or choose another with data_dir"};
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
  if (!opened && opened.error().reason == "DISK_FULL" && !store->disk_is_full_) {
    store->give_up_reserve();
    opened = store->open_database();
  }
  if (!opened) return opened.error();
  return store;
}

SqliteStore::~SqliteStore() {
  const bool opened = database_.has_value();
  database_.reset();
  // After an error the next start looks at every page.
  if (opened && health_) lock_.release_clean();
}

Status SqliteStore::open_database() {
  const std::string path = (data_dir_ / "covey.db").string();
  // The site's secret is in there: for the owner only, as are -wal and -shm, which copy the mode.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  Result<Database> database =
      Database::open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options_.vfs);
  if (!database) return database.error();
  // auto_vacuum counts in a new file only: later a full disk can get pages back, see reclaim().
  std::string settings =
      "PRAGMA auto_vacuum = INCREMENTAL;"
      "PRAGMA mmap_size = 0; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
      "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
      "PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = " +
      std::to_string(options_.wal_autocheckpoint_pages);
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
    const std::string limit = "PRAGMA max_page_count = " + std::to_string(options_.max_page_count);
    if (Status set = database->run(limit); !set) return set;
  }
  database_.emplace(*std::move(database));
  return {};
}

uint64_t SqliteStore::free_bytes() const {
  struct statvfs disk {};
  if (statvfs(data_dir_.c_str(), &disk) != 0) return 0;
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
}

bool SqliteStore::has_room() const { return free_bytes() >= 2 * options_.reserve_bytes; }

void SqliteStore::give_up_reserve() {
  disk_is_full_ = true;
  unlink((data_dir_ / "reserve").c_str());
}

void SqliteStore::keep_reserve() {
  disk_is_full_ = false;
  if (options_.reserve_bytes == 0) return;
  const std::string path = (data_dir_ / "reserve").string();
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 &&
      static_cast<uint64_t>(status.st_size) >= options_.reserve_bytes) {
    // With less than this a start would fail somewhere on its way: better to know it here.
    if (free_bytes() < options_.reserve_bytes / 4) give_up_reserve();
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
  Writer writer(*database_);
  for (const Write& each : writes) {
    if (Status written = std::visit(writer, each); !written) return written;
  }
  return transaction->commit();
}

Status SqliteStore::commit(std::span<const Write> writes) {
  if (!health_) return health_;
  Status written = write(writes);
  if (written) return written;
  health_ = written;
  if (written.error().reason == "DISK_FULL") give_up_reserve();
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
  Snapshot snapshot;
  // One view of all tables.
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  sqlite::Selector select(*database_);
  const auto since = [&](Statement& to) { to.integer(limits.windows_since.count()); };
  std::vector<SiteRecord> sites;
  std::vector<sqlite::StoredArtifact> artifacts;
  std::vector<sqlite::RolloutOrder> orders;
  select.all(sites, "");
  select.all(snapshot.devices, "ORDER BY device");
  select.all(snapshot.trusted_keys, "ORDER BY key_id");
  select.all(snapshot.releases, "ORDER BY model, major, minor, patch");
  select.all(artifacts, "ORDER BY model, major, minor, patch, position");
  select.all(snapshot.rollouts, "ORDER BY rollout");
  select.all(orders, "ORDER BY rollout");
  select.all(snapshot.gates, "ORDER BY rollout, stage");
  select.all(snapshot.deployments, "ORDER BY number");
  select.all(snapshot.counts, "ORDER BY rollout, stage, rollback, state");
  select.all(snapshot.assignments, "ORDER BY number");
  select.all(snapshot.requests, "ORDER BY request_id");
  // Numbers without a sign: those with the highest bit come last.
  select.all(snapshot.streams, "ORDER BY device, boot_id < 0, boot_id, manifest");
  select.all(snapshot.totals, "ORDER BY device, manifest, cohort");
  select.all(snapshot.windows,
             "WHERE start_wall_ms >= ? ORDER BY manifest, window_index, length_ms, cohort, device",
             since);
  select.all(snapshot.samples, "WHERE start_wall_ms >= ? ORDER BY position", since);
  select.all(snapshot.labels, "WHERE wall_ms >= ? ORDER BY position", since);
  select.all(snapshot.alerts,
             "AS a WHERE episode = (SELECT max(episode) FROM alerts AS b WHERE a.model = b.model "
             "AND a.kind = b.kind AND a.subject = b.subject AND a.scope = b.scope) "
             "ORDER BY model, kind, subject, scope");
  if (!select.status()) return select.status().error();
  if (!sites.empty()) snapshot.site = sites.front();

  auto release = snapshot.releases.begin();
  for (sqlite::StoredArtifact& artifact : artifacts) {
    while (release != snapshot.releases.end() && release->id < artifact.record.release) ++release;
    if (release == snapshot.releases.end() || release->id != artifact.record.release) {
      return sqlite::corrupt("artifacts: no release " + to_string(artifact.record.release));
    }
    release->artifacts.push_back(std::move(artifact.record));
  }
  auto rollout = snapshot.rollouts.begin();
  for (sqlite::RolloutOrder& order : orders) {
    if (rollout == snapshot.rollouts.end() || rollout->name != order.rollout) {
      return sqlite::corrupt("rollout_orders: no rollout " + order.rollout.str());
    }
    rollout->order = std::move(order.devices);
    rollout->excluded = std::move(order.excluded);
    ++rollout;
  }
  return snapshot;
}

Result<std::unique_ptr<Reader>> SqliteStore::reader() {
  return sqlite::open_reader((data_dir_ / "covey.db").string(), options_.vfs);
}

}  // namespace covey
