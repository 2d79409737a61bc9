// SPDX-License-Identifier: Apache-2.0
// Which rollout has plans with a device, and what the rows of rollouts mean at a start.
#include <fmt/format.h>

#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"

namespace covey::engine {

const Rollout* open_rollout_of(const State& state, const DeviceId& device, const ModelName& model) {
  // Who is not accepted any more has left: nobody has plans with it.
  const auto known = state.fleet.devices.find(device);
  if (known == state.fleet.devices.end() || known->second.state != DeviceState::kAccepted) {
    return nullptr;
  }
  const auto open = state.rollouts.open_rollouts.find(device);
  if (open == state.rollouts.open_rollouts.end()) return nullptr;
  const auto found = open->second.find(model);
  if (found == open->second.end()) return nullptr;
  const Rollout& rollout = state.rollouts.by_name.at(found->second);
  return has_ended(rollout.progress.state) ? nullptr : &rollout;
}

void index_open(RolloutsState& rollouts, const Rollout& rollout) {
  const ModelName& model = rollout.plan->rules.release.model;
  for (const DeviceId& device : rollout.plan->order) {
    rollouts.open_rollouts[device].insert_or_assign(model, rollout.plan->name);
  }
}

void forget_open(RolloutsState& rollouts, const Rollout& rollout, const DeviceId& device) {
  const auto open = rollouts.open_rollouts.find(device);
  if (open == rollouts.open_rollouts.end()) return;
  const auto found = open->second.find(rollout.plan->rules.release.model);
  // Another one may have begun since.
  if (found != open->second.end() && found->second == rollout.plan->name) open->second.erase(found);
  if (open->second.empty()) rollouts.open_rollouts.erase(open);
}

Status refuse_overlap(const State& state, const Rollout& rollout) {
  for (const DeviceId& device : rollout.plan->order) {
    const Rollout* other = open_rollout_of(state, device, rollout.plan->rules.release.model);
    if (other == nullptr) continue;
    return precondition("ROLLOUT_OVERLAPS",
                        fmt::format("rollout {} is not over and has device {} too: wait for it, "
                                    "abort it or roll it back",
                                    other->plan->name.str(), device.str()));
  }
  return {};
}

RolloutIndex index_of(const RolloutPlan& plan) {
  RolloutIndex index;
  index.held.insert(plan.order.end() - static_cast<std::ptrdiff_t>(plan.holdback),
                    plan.order.end());
  return index;
}

void derive_rollouts(RolloutsState& rollouts, const State& state) {
  recount(rollouts);
  for (const auto& [name, rollout] : rollouts.by_name) {
    const RolloutState is = rollout.progress.state;
    if (rollout.progress.settled) {
      if (is == RolloutState::kSucceeded) {
        rollouts.settled_releases.insert(rollout.plan->rules.release);
      }
      continue;
    }
    RolloutIndex& index = rollouts.attempts.at(name);
    if (has_ended(is)) {
      rollouts.unsettled.insert(name);
      rollouts.ending.insert(name);
      index.freed = static_cast<uint32_t>(rollout.plan->order.size());  // never taken
      index.fleet.going_on = rollout.progress.assigning;
      continue;
    }
    rollouts.open.insert(name);
    index_open(rollouts, rollout);
    index.back.going_on = is == RolloutState::kRollingBack;
    index.fleet.going_on = index.back.going_on && rollout.progress.end_observed.count() != 0;
    for (const auto& [device, number] : index.rollout.newest) {
      retry_in_time(rollouts, state, rollouts.deployments.at(number));
    }
    for (const auto& [device, number] : index.rollback.newest) {
      retry_in_time(rollouts, state, rollouts.deployments.at(number));
    }
  }
  for (const uint64_t number : rollouts.in_progress) {
    expire_in_time(rollouts, state, rollouts.deployments.at(number));
  }
}

}  // namespace covey::engine
