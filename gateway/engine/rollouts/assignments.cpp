// SPDX-License-Identifier: Apache-2.0
// Standing assignments: what devices are to have beside rollouts. Who differs from that is looked
// at when something about it changes; nobody walks over the fleet.
#include <algorithm>

#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr Millis kAttemptDeadline = 10min;

// Whoever was away when its rollout had ended ROLLED_BACK goes back when it is here again.
bool outlived_its_rollout(const State& state, const Deployment& deployment) {
  return deployment.state == DeploymentState::kQueued && deployment.cause == Cause::kRollback &&
         deployment.rollout &&
         has_ended(state.rollouts.by_name.at(*deployment.rollout).progress.state);
}

// True: something was offered.
bool put_right(Turn& turn, const DeviceId& id, const ModelName& name, const DeviceModel& model) {
  const State& state = turn.state;
  if (!model.desired || model.reported.confirmed == model.desired) return false;
  // A rollout that has plans with the device has queued or offered something: hands off.
  if (const Deployment* open = deployment_in_progress(state, id, name)) {
    if (!outlived_its_rollout(state, *open) || !can_be_offered(state, *open)) return false;
    offer(turn, open->number, kAttemptDeadline);
    return true;
  }
  const KnownArtifact* const known = artifact_of(state, name, *model.desired);
  // Who went back to it, or fell back, had confirmed it once: that is not an offer.
  if (known == nullptr || (!known->withheld.empty() && model.reported.fallback != model.desired)) {
    return false;
  }
  if (state.site.observed < model.retry_not_before) {
    own_rollouts(turn).reconcile_later.add(model.retry_not_before, id);
    return false;
  }
  // It may have become another device since; what is desired of it changes with the next decision.
  const Artifact& artifact = *known->artifact;
  const Device& device = state.fleet.devices.at(id);
  if (check_compatibility(artifact.manifest, artifact.algorithms(), device.facts, 0)) return false;
  // Work for another model fills the goal: when that has ended, the device is looked at again.
  if (!goal_fits(state, device, name, Beside::kWorkOfNow)) return false;
  const uint64_t number = create_deployment(turn, {.device = id,
                                                   .release = known->release,
                                                   .manifest = *model.desired,
                                                   .cause = Cause::kAssignment})
                              .number;
  offer(turn, number, kAttemptDeadline);
  return true;
}

// Nothing tells of an artifact that became known, and little of other rarities: a few devices of
// the fleet are looked at in each tick, whatever has happened.
void look_around(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  TickBudget budget;
  budget.looks = kLookedAroundPerTick;
  rollouts.around.going_on = true;
  (void)walk(rollouts.around, turn.state.fleet.devices, budget,
             [&](const DeviceId& id, const Device& device) {
               for (const auto& [name, model] : device.models) {
                 if (!model.desired || model.reported.confirmed == model.desired) continue;
                 rollouts.reconcile_due.insert(id);
               }
               return false;
             });
}

}  // namespace

bool desire(Turn& turn, const Device& device, const ReleaseId& release) {
  const Admission admission = admit(turn.state, release, device);
  if (admission.artifact == nullptr) return false;
  const Digest& digest = admission.artifact->artifact->digest;
  const auto known = device.models.find(release.model);
  if (known != device.models.end() && known->second.desired == digest) return false;
  DeviceModel& model = change_model(turn, device.id, release.model);
  model.desired = digest;
  model.assignment_failures = 0;
  model.retry_not_before = Millis{0};
  own_rollouts(turn).reconcile_due.insert(device.id);
  return true;
}

void assign_device(Turn& turn, const Device& device) {
  if (device.state != DeviceState::kAccepted) return;
  const State& state = turn.state;
  for (auto record = state.rollouts.assignments.rbegin();
       record != state.rollouts.assignments.rend(); ++record) {
    const auto model = device.models.find(record->model);
    if (model == device.models.end() || model->second.desired) continue;
    const Result<Filter> target = Filter::parse(record->target);
    if (target && target->matches(DeviceFields(state, device))) {
      (void)desire(turn, device, record->release);
    }
  }
}

void reconcile(Turn& turn) {
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  look_around(turn);
  rollouts.reconcile_later.run(state.site.observed, kReconciledPerTick,
                               [&](const DeviceId& device, Millis) -> std::optional<Millis> {
                                 rollouts.reconcile_due.insert(device);
                                 return std::nullopt;
                               });
  if (!state.clocks.broker_connected()) return;
  for (size_t n = 0; n < kReconciledPerTick && !rollouts.reconcile_due.empty(); ++n) {
    if (rollouts.assignments_in_progress >= turn.config.assignments_in_flight_max) return;
    const DeviceId id = rollouts.reconcile_due.extract(rollouts.reconcile_due.begin()).value();
    const auto found = state.fleet.devices.find(id);
    // Whoever is away comes up again when it is here (device_is_here).
    if (found == state.fleet.devices.end() || found->second.state != DeviceState::kAccepted ||
        !is_reachable(state, id)) {
      continue;
    }
    for (const auto& [name, model] : found->second.models) (void)put_right(turn, id, name, model);
  }
}

}  // namespace covey::engine
