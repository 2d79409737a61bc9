// SPDX-License-Identifier: Apache-2.0
// Intent and receipt: which of the offers that stand their devices have not shown yet. Kept from
// the rows that a turn has changed, because a device's word, a new goal and a new offer all change
// it.
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

std::optional<StageKey> key_of(const Deployment& deployment) {
  if (!deployment.rollout) return std::nullopt;
  return StageKey{*deployment.rollout, deployment.stage, deployment.cause == Cause::kRollback};
}

void note(RolloutsState& rollouts, const FleetState& fleet, uint64_t number) {
  const auto found = rollouts.deployments.find(number);
  const bool outstanding = found != rollouts.deployments.end() &&
                           found->second.state == DeploymentState::kOffered &&
                           !was_received(fleet, found->second);
  const bool changed = outstanding ? rollouts.unreceived.insert(number).second
                                   : rollouts.unreceived.erase(number) != 0;
  if (!changed) return;
  // Whatever ends leaves here in the same turn, long before it is archived.
  COVEY_ASSERT(found != rollouts.deployments.end());
  const std::optional<StageKey> key = key_of(found->second);
  if (!key) return;
  uint32_t& count = rollouts.unreceived_counts[*key];
  if (outstanding) {
    ++count;
  } else if (--count == 0) {
    rollouts.unreceived_counts.erase(*key);
  }
}

}  // namespace

bool was_received(const FleetState& fleet, const Deployment& deployment) {
  switch (deployment.state) {
    case DeploymentState::kQueued:
    case DeploymentState::kTimedOut:
    case DeploymentState::kCanceled:
    case DeploymentState::kRemoved:
      return false;
    case DeploymentState::kOffered: {
      const auto device = fleet.devices.find(deployment.device);
      return device != fleet.devices.end() &&
             device->second.goal_counter_seen >= device->second.goal_counter;
    }
    default:
      return true;  // said by the device itself
  }
}

void note_receipts(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  const FleetState& fleet = turn.state.fleet;
  for (const uint64_t number : turn.rollout_rows.deployments) note(rollouts, fleet, number);
  for (const DeviceId& id : turn.fleet_rows.devices) {
    const auto device = fleet.devices.find(id);
    if (device == fleet.devices.end()) continue;
    for (const auto& [name, model] : device->second.models) {
      const auto newest = rollouts.newest_deployment.find({id, name});
      if (newest != rollouts.newest_deployment.end()) note(rollouts, fleet, newest->second);
    }
  }
  turn.counters().offers_unreceived = rollouts.unreceived.size();
}

void recount_receipts(RolloutsState& rollouts, const FleetState& fleet) {
  rollouts.unreceived.clear();
  rollouts.unreceived_counts.clear();
  for (const uint64_t number : rollouts.in_progress) note(rollouts, fleet, number);
}

}  // namespace covey::engine
