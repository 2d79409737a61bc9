// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/snapshot.hpp"

#include <algorithm>
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
    if (record->artifact->image.empty() != (release->delete_wall.count() != 0)) {
      return corrupt(
          fmt::format("artifact of {}: an image, of what was deleted, or none, of what "
                      "was not",
                      to_string(id)));
    }
    release->artifacts.push_back(*std::move(record));
  }
  return {};
}

// All in key order. Plan and progress are put in one transaction; settled rollouts have no order.
std::vector<Rollout> join_rollouts(std::vector<RolloutPlan> plans,
                                   std::vector<rows::RolloutOrder> orders,
                                   std::vector<rows::ProgressRow> stored) {
  std::vector<Rollout> rollouts;
  auto order = orders.begin();
  auto progress = stored.begin();
  for (RolloutPlan& plan : plans) {
    while (order != orders.end() && order->rollout < plan.name) ++order;
    while (progress != stored.end() && progress->rollout < plan.name) ++progress;
    if (progress == stored.end() || progress->rollout != plan.name) continue;
    if (order != orders.end() && order->rollout == plan.name) {
      plan.order = std::move(order->devices);
      plan.excluded = std::move(order->excluded);
    }
    rollouts.push_back(
        {std::make_shared<const RolloutPlan>(std::move(plan)), std::move(progress->progress)});
  }
  return rollouts;
}

}  // namespace

Result<Snapshot> load_snapshot(Database& database, const LoadLimits& limits) {
  Snapshot snapshot;
  Result<Transaction> transaction = Transaction::begin(database);
  if (!transaction) return transaction.error();
  Selector select(database);
  // A window that the log goes on with has to be there, or its row would be replaced by a part.
  const Result<int64_t> unsettled = database.number(
      "SELECT coalesce(min(placed_wall_ms), 9223372036854775807) FROM reports "
      "WHERE position > coalesce((SELECT reports_settled FROM site), 0)");
  if (!unsettled) return unsettled.error();
  // A clock that is wrong at the start must not hide what came by a right one.
  const Result<int64_t> heard = database.number(
      "SELECT coalesce((SELECT wall_ms FROM reports ORDER BY position DESC LIMIT 1), 0)");
  if (!heard) return heard.error();
  const auto since = [&](Statement& to) {
    to.integer(std::min(limits.windows_since.count(), *unsettled - limits.window.count()));
    to.integer(std::max(limits.windows_until.count(), *heard));
  };
  std::vector<SiteRecord> sites;
  std::vector<rows::ArtifactRow> artifacts;
  std::vector<RolloutPlan> plans;
  std::vector<rows::RolloutOrder> orders;
  std::vector<rows::ProgressRow> progress;
  select.all(sites);
  select.all(snapshot.secrets);
  select.all(snapshot.devices);
  select.all(snapshot.revoked);
  select.all(snapshot.claims);
  select.all(snapshot.claim_ids);
  select.all(snapshot.authorities);
  select.all(snapshot.trusted_keys);
  select.all(snapshot.roots);
  select.all(snapshot.tokens);
  select.all(snapshot.releases);
  select.all(artifacts);
  select.all(plans);
  select.all(orders,
             "WHERE rollout IN (SELECT rollout FROM rollouts WHERE settled = 0) ORDER BY rollout");
  select.all(progress);
  select.all(snapshot.gates);
  select.all(snapshot.deployments);
  select.all(snapshot.counts);
  select.all(snapshot.assignments);
  select.all(snapshot.requests);
  // Numbers without a sign: those with the highest bit come last.
  select.all(snapshot.streams, "ORDER BY device, boot_id < 0, boot_id, manifest");
  select.all(snapshot.totals);
  select.all(snapshot.windows,
             "WHERE start_wall_ms >= ? AND start_wall_ms <= ? "
             "ORDER BY manifest, window_index, length_ms, cohort, device",
             since);
  select.all(snapshot.tallies);
  select.all(snapshot.labels, "WHERE matched = 0 ORDER BY position");
  select.all(snapshot.alerts,
             "AS a WHERE episode = (SELECT max(episode) FROM alerts AS b WHERE a.model = b.model "
             "AND a.kind = b.kind AND a.subject = b.subject AND a.scope = b.scope) "
             "ORDER BY model, kind, subject, scope");
  if (!select.status()) return select.status().error();
  if (!sites.empty()) snapshot.site = sites.front();
  if (Status added = add_artifacts(snapshot.releases, std::move(artifacts)); !added) {
    return added.error();
  }
  snapshot.rollouts = join_rollouts(std::move(plans), std::move(orders), std::move(progress));
  return snapshot;
}

Status replay_reports(Database& database, uint64_t position,
                      const std::function<Status(const ReportRecord&)>& each) {
  constexpr uint64_t kAtOnce = 1'000;
  std::vector<ReportRecord> some;
  do {
    some.clear();
    Selector select(database);
    select.all(some, "WHERE position > ? ORDER BY position LIMIT ?",
               [&](Statement& to) { to.number(position).number(kAtOnce); });
    if (!select.status()) return select.status();
    for (const ReportRecord& report : some) {
      if (Status done = each(report); !done) return done;
      position = report.position;
    }
  } while (!some.empty());
  return {};
}

}  // namespace covey::sqlite
