#include <algorithm>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr Millis kAttemptDeadline = 10min;

// Whoever was away when its rollout had ended ROLLED_BACK goes back when it is here again.
bool outlived_its_rollout(const State& state, const Deployment& deployment) {
  return deployment.state == DeploymentState::kQueued && deployment.cause == Cause::kRollback &&
         deployment.rollout &&
         has_ended(state.rollouts.by_name.at(*deployment.rollout).progress.state);
}

uint32_t assignments_in_flight(const State& state) {
  return static_cast<uint32_t>(std::count_if(
      state.rollouts.in_progress.begin(), state.rollouts.in_progress.end(), [&](uint64_t number) {
        return state.rollouts.deployments.at(number).cause == Cause::kAssignment;
      }));
}

void desire(Turn& turn, Device& device, const ReleaseId& release) {
  const Admission admission = admit(turn.state, release, device);
  if (admission.artifact == nullptr) return;
  DeviceModel& model = device.models.try_emplace(release.model).first->second;
  model.reported.model = release.model;
  const Digest& digest = admission.artifact->artifact->digest;
  if (model.desired == digest) return;
  change_device(turn, device.id);
  model.desired = digest;
  model.assignment_failures = 0;
  model.retry_not_before = Millis{0};
  turn.state.rollouts.reconcile_due.insert(device.id);
}

}  // namespace

void device_is_here(Turn& turn, const DeviceId& device) {
  own_rollouts(turn).reconcile_due.insert(device);
}

void device_has_changed(Turn& turn, const DeviceId& device) {
  own_rollouts(turn).reconcile_due.insert(device);
}

void assign(Turn& turn, const Rollout& rollout) {
  State& state = turn.state;
  uint64_t number = 1;
  for (const AssignmentRecord& record : state.rollouts.assignments) {
    number = std::max(number, record.number + 1);
  }
  AssignmentRecord record{.model = rollout.plan->rules.release.model,
                          .rollout = rollout.plan->name,
                          .target = rollout.plan->rules.target.text(),
                          .release = rollout.plan->rules.release,
                          .number = number};
  state.rollouts.assignments.push_back(record);
  turn.write(PutAssignment{std::move(record)});
  const std::set<DeviceId> held(
      rollout.plan->order.end() - static_cast<std::ptrdiff_t>(rollout.plan->holdback),
      rollout.plan->order.end());
  for (auto& [id, device] : state.fleet.devices) {
    if (device.state != DeviceState::kAccepted || held.contains(id)) continue;
    if (rollout.plan->rules.target.matches(DeviceFields(state, device))) {
      desire(turn, device, rollout.plan->rules.release);
    }
  }
}

void assign_device(Turn& turn, Device& device) {
  if (device.state != DeviceState::kAccepted) return;
  for (auto record = turn.state.rollouts.assignments.rbegin();
       record != turn.state.rollouts.assignments.rend(); ++record) {
    const auto model = device.models.find(record->model);
    if (model == device.models.end() || model->second.desired) continue;
    const Result<Filter> target = Filter::parse(record->target);
    if (target && target->matches(DeviceFields(turn.state, device))) {
      desire(turn, device, record->release);
    }
  }
}

void unassign(Turn& turn, const Rollout& rollout) {
  State& state = turn.state;
  std::erase_if(state.rollouts.assignments, [&](const AssignmentRecord& record) {
    if (record.rollout != rollout.plan->name) return false;
    turn.write(RemoveAssignment{record.number});
    return true;
  });
  const ReleaseId& release = rollout.plan->rules.release;
  // What the rollout offered is on its way back already; these had it from the assignment.
  for (auto& [id, device] : state.fleet.devices) {
    const auto found = device.models.find(release.model);
    if (found == device.models.end() || !found->second.desired) continue;
    DeviceModel& model = found->second;
    const auto known = state.catalogue.artifacts.find(*model.desired);
    if (known == state.catalogue.artifacts.end() || known->second.release != release) continue;
    if (!rollout.plan->rules.target.matches(DeviceFields(state, device))) continue;
    const auto newest = state.rollouts.newest_deployment.find({id, release.model});
    const Deployment* given = newest == state.rollouts.newest_deployment.end()
                                  ? nullptr
                                  : &state.rollouts.deployments.at(newest->second);
    if (given != nullptr && given->cause == Cause::kAssignment && given->release == release &&
        given->previous && given->previous != model.desired) {
      send_back(turn, rollout, *given);
    } else if (model.reported.confirmed != model.desired) {
      change_device(turn, device.id);
      model.desired = model.reported.confirmed;
    }
  }
}

void reconcile(Turn& turn) {
  State& state = turn.state;
  if (!state.clocks.broker_connected) return;
  uint32_t budget = turn.config.assignments_in_flight_max;
  budget -= std::min(budget, assignments_in_flight(state));
  for (auto due = state.rollouts.reconcile_due.begin();
       due != state.rollouts.reconcile_due.end() && budget > 0;) {
    const auto found = state.fleet.devices.find(*due);
    bool later = false;
    if (found != state.fleet.devices.end() && found->second.state == DeviceState::kAccepted &&
        is_reachable(state, *due)) {
      Device& device = found->second;
      for (auto& [name, model] : device.models) {
        if (!model.desired || model.reported.confirmed == model.desired) continue;
        // A rollout that has plans with the device has queued or offered something: hands off.
        if (const Deployment* open = deployment_in_progress(state, device.id, name)) {
          if (outlived_its_rollout(state, *open)) {
            offer(turn, open->number, kAttemptDeadline);
            --budget;
          }
          continue;
        }
        const auto known = state.catalogue.artifacts.find(*model.desired);
        if (known == state.catalogue.artifacts.end()) continue;
        if (state.site.observed < model.retry_not_before) {
          later = true;
          continue;
        }
        const uint64_t number = create_deployment(turn, {.device = device.id,
                                                         .release = known->second.release,
                                                         .manifest = *model.desired,
                                                         .cause = Cause::kAssignment})
                                    .number;
        offer(turn, number, kAttemptDeadline);
        --budget;
      }
    }
    due = later ? std::next(due) : state.rollouts.reconcile_due.erase(due);
  }
}

}  // namespace covey::engine
