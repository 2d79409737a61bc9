// Which deployments the engine still works with. A site that runs for years makes hundreds of
// thousands; a start loads those that are in progress, the newest of each device and model, and
// what a rollback would need. Counts of all of them stay.
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

std::map<DeviceId, uint64_t>& attempts_of(RolloutIndex& index, const Deployment& deployment) {
  return deployment.cause == Cause::kRollback ? index.rollback : index.rollout;
}

// The newest of its rollout that may still be asked about; settled rollouts ask no more.
bool its_rollout_needs(const State& state, const Deployment& deployment) {
  if (!deployment.rollout || state.rollouts.by_name.at(*deployment.rollout).progress.settled)
    return false;
  const RolloutIndex& index = state.rollouts.attempts.at(*deployment.rollout);
  const auto& devices = deployment.cause == Cause::kRollback ? index.rollback : index.rollout;
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

}  // namespace

void count(Turn& turn, const Deployment& newest, bool more) {
  if (!newest.rollout) return;
  const CountKey key{*newest.rollout, newest.stage, newest.cause == Cause::kRollback,
                     std::string(to_string(newest.state))};
  uint32_t& devices = turn.state.rollouts.counts[key];
  COVEY_ASSERT(more || devices > 0);
  if (more) {
    ++devices;
  } else {
    --devices;
  }
  turn.rollout_rows.counts.insert(key);
}

void settle_rollouts(Turn& turn) {
  State& state = turn.state;
  for (auto& [name, rollout] : state.rollouts.by_name) {
    if (rollout.progress.settled || !has_ended(rollout.progress.state) ||
        may_roll_back(turn, rollout))
      continue;
    rollout.progress.settled = true;
    rollout.plan = without_devices(*rollout.plan);
    turn.rollout_rows.rollouts.insert(name);
    const RolloutIndex& index = state.rollouts.attempts.at(name);
    for (const auto* devices : {&index.rollout, &index.rollback}) {
      for (const auto& [device, number] : *devices) state.rollouts.archive_due.insert(number);
    }
  }
}

void archive_deployments(Turn& turn) {
  State& state = turn.state;
  auto due = state.rollouts.archive_due.begin();
  for (size_t n = 0; n < kArchivedPerTick && due != state.rollouts.archive_due.end(); ++n) {
    const auto found = state.rollouts.deployments.find(*due);
    if (found != state.rollouts.deployments.end() && turn.rollout_rows.deployments.contains(*due)) {
      ++due;  // its row is written at the end of this turn: in the next one
      continue;
    }
    if (found != state.rollouts.deployments.end() && is_history(state, found->second)) {
      const Deployment& deployment = found->second;
      if (deployment.rollout) {
        auto& devices = attempts_of(state.rollouts.attempts.at(*deployment.rollout), deployment);
        const auto newest = devices.find(deployment.device);
        if (newest != devices.end() && newest->second == deployment.number) devices.erase(newest);
      }
      turn.write(ArchiveDeployment{deployment.number});
      state.rollouts.deployments.erase(found);
    }
    due = state.rollouts.archive_due.erase(due);
  }
}

}  // namespace covey::engine
