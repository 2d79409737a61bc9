// The security floor of a device's model: what it accepts anew is not older than that. It rises
// only when nothing can ask the device to go back any more (DESIGN.md section 4).
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// Releases whose rollout succeeded, and of which no rollout is going on or can be taken back.
std::set<ReleaseId> settled_releases(const Turn& turn) {
  std::set<ReleaseId> settled;
  std::set<ReleaseId> open;
  for (const auto& [name, rollout] : turn.state.rollouts.by_name) {
    if (!has_ended(rollout.progress.state) || may_roll_back(turn, rollout)) {
      open.insert(rollout.plan->rules.release);
    } else if (rollout.progress.state == RolloutState::kSucceeded) {
      settled.insert(rollout.plan->rules.release);
    }
  }
  for (const ReleaseId& release : open) settled.erase(release);
  return settled;
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
  const std::set<ReleaseId> settled = settled_releases(turn);
  if (settled.empty()) return;
  // Each is a new goal: a large fleet is told over several sweeps.
  uint32_t budget = turn.config.offers_per_tick;
  for (const auto& [id, device] : turn.state.fleet.devices) {
    if (device.state != DeviceState::kAccepted) continue;
    for (const auto& [name, model] : device.models) {
      // Only what the device has proven: a floor above what it runs would leave it without a way.
      if (!model.desired || model.reported.confirmed != model.desired) continue;
      const auto known = turn.state.catalogue.artifacts.find(*model.desired);
      if (known == turn.state.catalogue.artifacts.end() || !settled.contains(known->second.release))
        continue;
      const uint32_t version = known->second.artifact->manifest.security_version;
      if (version <= model.security_floor) continue;
      if (budget-- == 0) return;
      change_model(turn, id, name).security_floor = version;
    }
  }
}

}  // namespace covey::engine
