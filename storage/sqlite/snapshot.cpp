#include "storage/sqlite/snapshot.hpp"

#include <utility>

#include <fmt/format.h>

#include "storage/sqlite/select.hpp"

namespace covey::sqlite {
namespace {

// Both in key order.
Status add_artifacts(std::vector<ReleaseRecord>& releases, std::vector<rows::ArtifactRow> stored) {
  auto release = releases.begin();
  for (rows::ArtifactRow& row : stored) {
    const ReleaseId id = row.release;
    while (release != releases.end() && release->id < id) ++release;
    if (release == releases.end() || release->id != id) {
      return corrupt("artifacts: no release " + to_string(id));
    }
    Result<ArtifactRecord> record = rows::record_of(std::move(row));
    if (!record) {
      return corrupt(fmt::format("artifact of {}: {}", to_string(id), record.error().message));
    }
    release->artifacts.push_back(*std::move(record));
  }
  return {};
}

Status add_orders(std::vector<Rollout>& rollouts, std::vector<rows::RolloutOrder> orders) {
  auto rollout = rollouts.begin();
  for (rows::RolloutOrder& order : orders) {
    if (rollout == rollouts.end() || rollout->name != order.rollout) {
      return corrupt("rollout_orders: no rollout " + order.rollout.str());
    }
    rollout->order = std::move(order.devices);
    rollout->excluded = std::move(order.excluded);
    ++rollout;
  }
  return {};
}

}  // namespace

Result<Snapshot> load_snapshot(Database& database, const LoadLimits& limits) {
  Snapshot snapshot;
  Result<Transaction> transaction = Transaction::begin(database);
  if (!transaction) return transaction.error();
  Selector select(database);
  const auto since = [&](Statement& to) { to.integer(limits.windows_since.count()); };
  std::vector<SiteRecord> sites;
  std::vector<rows::ArtifactRow> artifacts;
  std::vector<rows::RolloutOrder> orders;
  select.all(sites);
  select.all(snapshot.devices);
  select.all(snapshot.trusted_keys);
  select.all(snapshot.releases);
  select.all(artifacts);
  select.all(snapshot.rollouts);
  select.all(orders);
  select.all(snapshot.gates);
  select.all(snapshot.deployments);
  select.all(snapshot.counts);
  select.all(snapshot.assignments);
  select.all(snapshot.requests);
  // Numbers without a sign: those with the highest bit come last.
  select.all(snapshot.streams, "ORDER BY device, boot_id < 0, boot_id, manifest");
  select.all(snapshot.totals);
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
  if (Status added = add_artifacts(snapshot.releases, std::move(artifacts)); !added) {
    return added.error();
  }
  if (Status added = add_orders(snapshot.rollouts, std::move(orders)); !added) {
    return added.error();
  }
  return snapshot;
}

}  // namespace covey::sqlite
