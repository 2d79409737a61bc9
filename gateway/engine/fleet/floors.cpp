// SPDX-License-Identifier: Apache-2.0
// The security floor of a device's model: what it accepts anew is not older than that. It rises
// only when nothing can ask the device to go back any more
// (docs/design/trust.md, "Security floor").
#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr size_t kFloorsRaisedPerTick = 20;

// No rollout of it is going on or can be taken back.
bool is_settled(const Turn& turn, const ReleaseId& release) {
  const RolloutsState& rollouts = turn.state.rollouts;
  if (!rollouts.settled_releases.contains(release)) return false;
  for (const std::set<RolloutName>* names : {&rollouts.open, &rollouts.unsettled}) {
    for (const RolloutName& name : *names) {
      if (rollouts.by_name.at(name).plan->rules.release == release) return false;
    }
  }
  return true;
}

std::set<ReleaseId> settled_releases(const Turn& turn) {
  std::set<ReleaseId> settled;
  for (const ReleaseId& release : turn.state.rollouts.settled_releases) {
    if (is_settled(turn, release)) settled.insert(release);
  }
  return settled;
}

bool is_below(const State& state, const ModelName& model, const std::optional<Digest>& manifest,
              uint32_t version) {
  if (!manifest) return false;
  const KnownArtifact* const known = artifact_of(state, model, *manifest);
  return known != nullptr && known->artifact->manifest.security_version < version;
}

// A rollout may send the device back to something older: also where it took, since, what an attempt
// before had offered.
bool may_go_below(const State& state, const Device& device, const ModelName& model,
                  uint32_t version) {
  const RolloutsState& rollouts = state.rollouts;
  for (const std::set<RolloutName>* names : {&rollouts.open, &rollouts.unsettled}) {
    for (const RolloutName& name : *names) {
      const RolloutIndex& index = rollouts.attempts.at(name);
      for (const Attempts* attempts : {&index.rollout, &index.rollback}) {
        const auto newest = attempts->newest.find(device.id);
        if (newest == attempts->newest.end()) continue;
        const Deployment& deployment = rollouts.deployments.at(newest->second);
        if (deployment.release.model != model) continue;
        if (is_below(state, model, deployment.previous, version)) return true;
      }
    }
  }
  return false;
}

bool raise_floor(Turn& turn, const Device& device, const std::set<ReleaseId>& settled) {
  bool raised = false;
  for (const auto& [name, model] : device.models) {
    // Only what the device has proven: a floor above what it runs would leave it without a way.
    if (!model.desired || model.reported.confirmed != model.desired) continue;
    // What is under way may be older: an assignment from before another decision.
    if (deployment_in_progress(turn.state, device.id, name) != nullptr) continue;
    const KnownArtifact* const known = artifact_of(turn.state, name, *model.desired);
    if (known == nullptr) continue;
    const uint32_t version = known->artifact->manifest.security_version;
    if (version <= model.security_floor || !settled.contains(known->release)) continue;
    if (may_go_below(turn.state, device, name, version)) continue;
    change_model(turn, device.id, name).security_floor = version;
    raised = true;
  }
  return raised;
}

}  // namespace

bool may_roll_back(const Turn& turn, const Rollout& rollout) {
  return !rollout.progress.settled &&
         (rollout.progress.state == RolloutState::kSucceeded ||
          rollout.progress.state == RolloutState::kAborted) &&
         turn.state.site.observed - rollout.progress.end_observed < turn.config.rollback_window;
}

uint32_t floor_of(const DeviceModel& model) {
  return std::max(model.security_floor, model.reported.security_floor);
}

void raise_floors(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  if (turn.state.rollouts.settled_releases.empty()) return;
  const std::set<ReleaseId> settled = settled_releases(turn);
  auto next =
      fleet.floors_until ? fleet.devices.upper_bound(*fleet.floors_until) : fleet.devices.begin();
  // Each is a new goal: a large fleet is told over many ticks.
  size_t raised = 0;
  for (size_t n = 0; n < kFloorsLookedAtPerTick && raised < kFloorsRaisedPerTick; ++n, ++next) {
    if (next == fleet.devices.end()) {
      fleet.floors_until.reset();
      return;
    }
    fleet.floors_until = next->first;
    const Device& device = next->second;
    if (device.state == DeviceState::kAccepted && raise_floor(turn, device, settled)) ++raised;
  }
}

}  // namespace covey::engine
