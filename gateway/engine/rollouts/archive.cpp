// SPDX-License-Identifier: Apache-2.0
// Which deployments the engine still works with. A site that runs for years makes hundreds of
// thousands; a start loads those that are in progress, the newest of each device and model, and
// what a rollback would need. Counts of all of them stay.
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

// The newest of its rollout that may still be asked about; settled rollouts ask no more.
bool its_rollout_needs(const State& state, const Deployment& deployment) {
  if (!deployment.rollout) return false;
  const auto index = state.rollouts.attempts.find(*deployment.rollout);
  if (index == state.rollouts.attempts.end()) return false;
  const auto& devices =
      (deployment.cause == Cause::kRollback ? index->second.rollback : index->second.rollout)
          .newest;
  const auto newest = devices.find(deployment.device);
  return newest != devices.end() && newest->second == deployment.number;
}

bool is_history(const State& state, const Deployment& deployment) {
  if (!has_ended(deployment.state)) return false;
  const auto newest =
      state.rollouts.newest_deployment.find({deployment.device, deployment.release.model});
  if (newest != state.rollouts.newest_deployment.end() && newest->second == deployment.number)
    return false;
  return !its_rollout_needs(state, deployment);
}

// Of settled rollouts.
void give_attempts_away(RolloutsState& rollouts) {
  for (size_t n = 0; n < kArchivedPerTick && !rollouts.leaving.empty(); ++n) {
    std::map<DeviceId, uint64_t>& attempts = rollouts.leaving.back();
    if (attempts.empty()) {
      rollouts.leaving.pop_back();
      continue;
    }
    rollouts.archive_due.insert(attempts.begin()->second);
    attempts.erase(attempts.begin());
  }
}

// Whoever comes back late is counted as back, for as long as that is likely.
bool brings_back(const Turn& turn, const Rollout& rollout) {
  return rollout.progress.state == RolloutState::kRolledBack &&
         !turn.state.rollouts.attempts.at(rollout.plan->name).rollback.unproven.empty() &&
         turn.state.site.observed - rollout.progress.end_observed < turn.config.rollback_window;
}

}  // namespace

void count(Turn& turn, const Deployment& newest, bool more) {
  if (!newest.rollout) return;
  const CountKey key{*newest.rollout, newest.stage, newest.cause == Cause::kRollback,
                     std::string(to_string(newest.state))};
  uint32_t& devices = own_rollouts(turn).counts[key];
  COVEY_ASSERT(more || devices > 0);
  if (more) {
    ++devices;
  } else {
    --devices;
  }
  turn.rollout_rows.counts.insert(key);
}

void settle_rollouts(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  for (auto next = rollouts.unsettled.begin(); next != rollouts.unsettled.end();) {
    const RolloutName name = *next;
    Rollout& rollout = rollouts.by_name.at(name);
    if (may_roll_back(turn, rollout) || rollouts.ending.contains(name) ||
        brings_back(turn, rollout)) {
      ++next;
      continue;
    }
    rollout.progress.settled = true;
    rollout.plan = without_devices(*rollout.plan);
    turn.rollout_rows.rollouts.insert(name);
    if (rollout.progress.state == RolloutState::kSucceeded) {
      rollouts.settled_releases.insert(rollout.plan->rules.release);
      bound_assignments(turn, name);
    }
    auto index = rollouts.attempts.extract(name);
    rollouts.leaving.push_back(std::move(index.mapped().rollout.newest));
    rollouts.leaving.push_back(std::move(index.mapped().rollback.newest));
    next = rollouts.unsettled.erase(next);
  }
}

void archive_deployments(Turn& turn) {
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  give_attempts_away(rollouts);
  auto due = rollouts.archive_due.begin();
  for (size_t n = 0; n < kArchivedPerTick && due != rollouts.archive_due.end(); ++n) {
    const auto found = rollouts.deployments.find(*due);
    if (found != rollouts.deployments.end() && turn.rollout_rows.deployments.contains(*due)) {
      ++due;  // its row is written at the end of this turn: in the next one
      continue;
    }
    if (found != rollouts.deployments.end() && is_history(state, found->second)) {
      turn.write(ArchiveDeployment{*due});
      rollouts.deployments.erase(found);
    }
    due = rollouts.archive_due.erase(due);
  }
}

}  // namespace covey::engine
