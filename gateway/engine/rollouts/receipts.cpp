// SPDX-License-Identifier: Apache-2.0
// Intent and receipt: which of the offers that stand their devices have not shown yet. Kept from
// the rows that a turn has changed: a device's word, a new goal and a new offer all change it. And
// how fast they are shown, which sets how many more are made: a goal that waits for the broker or
// for a device that has much to do is of no use to anybody.
#include <algorithm>
#include <chrono>
#include <utility>

#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr Millis kTellingLookEvery = 50ms;
constexpr Millis kTellingPause = 5s;       // what was this long was one, and no measurement
constexpr Millis kTellingAwaitedFor = 3s;  // who has not shown it then holds up nobody else
constexpr double kTellingNewest = 0.2;     // of a measurement, in the average
constexpr double kTellingBurst = 128;      // after a silence
constexpr double kTellingLeastPerS = 100;  // where nothing is known, or devices are slow to answer
constexpr double kTellingWaitLow = 0.15;   // seconds, of an offer until it is shown
constexpr double kTellingWaitHigh = 0.4;
constexpr double kTellingMore = 2;
constexpr double kTellingLess = 0.7;
constexpr double kTellingSaved = 0.1;  // seconds of the pace that are kept

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
  if (!outstanding) rollouts.telling.shown += rollouts.telling.awaited.erase(number);
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

void await(const Turn& turn, Telling& telling, uint64_t number) {
  telling.told.emplace_back(turn.now.mono, number);
  telling.awaited.insert(number);
}

}  // namespace

void pace_tellings(Turn& turn) {
  Telling& telling = own_rollouts(turn).telling;
  const Millis now = turn.now.mono;
  const Millis passed = now - telling.seen_at;
  if (passed < kTellingLookEvery) return;
  const double seconds = std::chrono::duration<double>(passed).count();
  const uint64_t shown = std::exchange(telling.shown, 0);
  if (passed < kTellingPause && (shown > 0 || !telling.awaited.empty())) {
    telling.shown_per_s +=
        kTellingNewest * (static_cast<double>(shown) / seconds - telling.shown_per_s);
  }
  for (; !telling.told.empty() && now - telling.told.front().first > kTellingAwaitedFor;
       telling.told.pop_front()) {
    telling.awaited.erase(telling.told.front().second);
  }
  const double wait = static_cast<double>(telling.awaited.size()) /
                      std::max(kTellingLeastPerS, telling.shown_per_s);
  const double gain = wait > kTellingWaitHigh  ? kTellingLess
                      : wait < kTellingWaitLow ? kTellingMore
                                               : 1.0;
  const double per_s = std::max(kTellingLeastPerS, gain * telling.shown_per_s);
  telling.left =
      std::min(telling.left + per_s * seconds, std::max(kTellingBurst, per_s * kTellingSaved));
  telling.seen_at = now;
}

uint32_t tellings_left(const State& state) {
  return static_cast<uint32_t>(std::max(0.0, state.rollouts.telling.left));
}

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
  for (const uint64_t number : turn.rollout_rows.deployments) {
    const bool fresh = !rollouts.unreceived.contains(number);
    note(rollouts, fleet, number);
    if (fresh && rollouts.unreceived.contains(number)) await(turn, rollouts.telling, number);
  }
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
