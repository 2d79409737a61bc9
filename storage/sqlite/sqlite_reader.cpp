// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/sqlite_reader.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "storage/sqlite/select.hpp"

namespace covey::sqlite {
namespace {

constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

int64_t bounded(uint64_t value) {
  return static_cast<int64_t>(std::min(value, static_cast<uint64_t>(kHighest)));
}

// Exclusive bounds of a page and its direction.
struct Range {
  explicit Range(const Page& page)
      : above(page.after == 0 ? std::numeric_limits<int64_t>::min() : bounded(page.after)),
        below(page.before == 0 ? kHighest : bounded(page.before)),
        ascending(page.order == PageOrder::kOldestFirst),
        direction(ascending ? "ASC" : "DESC") {}
  int64_t above;
  int64_t below;
  bool ascending;
  std::string direction;
};

class SqliteReader final : public Reader {
 public:
  explicit SqliteReader(Database database) : database_(std::move(database)) {}

  Result<std::vector<EventRecord>> events(const RolloutName& rollout, Page page) override {
    const Range range(page);
    return select<EventRecord>(
        "WHERE rollout = ? AND sequence > ? AND sequence < ? "
        "ORDER BY sequence " +
            range.direction + " LIMIT ?",
        [&](Statement& to) {
          to.text(rollout.str());
          to.integer(range.above).integer(range.below);
          to.integer(bounded(page.limit));
        });
  }

  Result<std::vector<AuditRecord>> audit(Page page) override {
    const Range range(page);
    return select<AuditRecord>(
        "WHERE sequence > ? AND sequence < ? ORDER BY sequence " + range.direction + " LIMIT ?",
        [&](Statement& to) {
          to.integer(range.above).integer(range.below);
          to.integer(bounded(page.limit));
        });
  }

  Result<std::vector<Deployment>> deployments(const RolloutName& rollout, uint64_t after,
                                              size_t limit) override {
    // Both tables by their index on (rollout, number).
    static const std::string columns = rows::names_of(rows::table_of<Deployment>());
    static const std::string wanted = " WHERE rollout = ?1 AND number > ?2";
    static const std::string sql =
        "SELECT " + columns + ", 0 AS past FROM deployments" + wanted + " UNION ALL SELECT " +
        columns + ", 1 AS past FROM past_deployments" + wanted + " ORDER BY number, past LIMIT ?3";
    std::vector<Deployment> records;
    Selector selector(database_);
    selector.query(records, sql, [&](Statement& to) {
      to.text(rollout.str()).integer(bounded(after)).integer(bounded(limit));
    });
    if (!selector.status()) return selector.status().error();
    return records;
  }

  Result<std::optional<RolloutPlan>> rollout_plan(const RolloutName& rollout) override {
    const auto name = [&](Statement& to) { to.text(rollout.str()); };
    std::vector<RolloutPlan> plans;
    std::vector<rows::RolloutOrder> orders;
    Selector selector(database_);
    selector.all(plans, "WHERE rollout = ?", name);
    selector.all(orders, "WHERE rollout = ?", name);
    if (!selector.status()) return selector.status().error();
    if (plans.empty() || orders.empty()) return std::optional<RolloutPlan>();
    plans.front().order = std::move(orders.front().devices);
    plans.front().excluded = std::move(orders.front().excluded);
    return std::optional<RolloutPlan>(std::move(plans.front()));
  }

  Result<std::vector<WindowRecord>> windows(std::span<const Digest> manifests,
                                            const DeviceId& device, Page page) override {
    if (manifests.empty() || page.limit == 0) return std::vector<WindowRecord>();
    const Range range(page);
    std::string places = "?";
    for (size_t i = 1; i < manifests.size(); ++i) places += ", ?";
    const std::string wanted = "WHERE device = ? AND manifest IN (" + places +
                               ") AND start_wall_ms > ? AND start_wall_ms < ? ";
    const auto bind_wanted = [&](Statement& to) {
      to.text(device.str());
      for (const Digest& manifest : manifests) to.blob(manifest.bytes);
      to.integer(range.above).integer(range.below);
    };
    // A page ends between two starts, never among the windows of one.
    const Result<std::optional<int64_t>> last =
        start_at(wanted, range.direction, page.limit, bind_wanted);
    if (!last) return last.error();
    const std::string within = fmt::format(
        "AND start_wall_ms {} ? "
        "ORDER BY start_wall_ms {}, manifest, window_index, length_ms, cohort",
        range.ascending ? "<=" : ">=", range.direction);
    return select<WindowRecord>(wanted + within, [&](Statement& to) {
      bind_wanted(to);
      to.integer(last->value_or(range.ascending ? kHighest : std::numeric_limits<int64_t>::min()));
    });
  }

  Result<StoredInference> inference(const DeviceId& device, uint64_t boot_id,
                                    uint64_t inference) override {
    const auto key = [&](Statement& to) {
      to.text(device.str()).number(boot_id).number(inference);
    };
    const char* const wanted = "WHERE device = ? AND boot_id = ? AND inference = ?";
    std::vector<SampleRecord> samples;
    std::vector<LabelRecord> labels;
    Selector selector(database_);
    selector.all(samples, wanted, key);
    selector.all(labels, wanted, key);
    if (!selector.status()) return selector.status().error();
    StoredInference found;
    if (!samples.empty()) found.sample = std::move(samples.front());
    if (!labels.empty()) found.label = std::move(labels.front());
    return found;
  }

 private:
  template <typename Record, typename Bind>
  Result<std::vector<Record>> select(const std::string& tail, const Bind& bind) {
    std::vector<Record> records;
    Selector selector(database_);
    selector.all(records, tail, bind);
    if (!selector.status()) return selector.status().error();
    return records;
  }

  // Start of the `number`-th window in page order; none: there are fewer.
  template <typename Bind>
  Result<std::optional<int64_t>> start_at(const std::string& wanted, const std::string& direction,
                                          size_t number, const Bind& bind) {
    Result<Statement*> statement =
        database_.cached("SELECT start_wall_ms FROM windows " + wanted + "ORDER BY start_wall_ms " +
                         direction + " LIMIT 1 OFFSET ?");
    if (!statement) return statement.error();
    bind(**statement);
    (*statement)->integer(bounded(number - 1));
    const Result<bool> row = (*statement)->step();
    std::optional<int64_t> start;
    if (row && *row) start = sqlite3_column_int64((*statement)->handle(), 0);
    (*statement)->reset();
    if (!row) return row.error();
    return start;
  }

  Database database_;
};

}  // namespace

Result<Database> open_query_only(const std::string& path, const std::string& vfs) {
  // Read-write, because a reader of a WAL writes to the shared index; query_only forbids the rest.
  Result<Database> database = Database::open(path, SQLITE_OPEN_READWRITE, vfs);
  if (!database) return database.error();
  int was = 0;
  sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &was);
  const Status set = database->run(
      "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = 1;"
      "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF");
  if (!set) return set.error();
  return database;
}

Result<std::unique_ptr<Reader>> open_reader(const std::string& path, const std::string& vfs) {
  Result<Database> database = open_query_only(path, vfs);
  if (!database) return database.error();
  return std::unique_ptr<Reader>(std::make_unique<SqliteReader>(*std::move(database)));
}

}  // namespace covey::sqlite
