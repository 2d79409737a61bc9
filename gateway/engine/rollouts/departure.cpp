// SPDX-License-Identifier: Apache-2.0
// Who leaves a rollout before its time: because an operator does not want to wait for the device,
// or because the device is not any more what the attempt was made for. What counted on it goes on
// at once.
#include <fmt/format.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"

namespace covey::engine {
namespace {

// An attempt that waits for its repetition ends with that one: an end never changes.
void give_up(Turn& turn, const Rollout& rollout, uint64_t number, const std::string& reason) {
  const State& state = turn.state;
  const Deployment& newest = state.rollouts.deployments.at(number);
  if (!has_ended(newest.state)) return advance(turn, number, deployment::Cancel{reason});
  const Deployment* other = deployment_in_progress(state, newest.device, newest.release.model);
  if (other != nullptr) {
    advance(turn, other->number, deployment::Cancel{std::string(kSuperseded)});
  }
  attempt_again(turn, rollout, newest);
  const Deployment* again = deployment_in_progress(state, newest.device, newest.release.model);
  if (again != nullptr) advance(turn, again->number, deployment::Cancel{reason});
}

// Of one device, in one rollout. True: something waited for it.
bool give_up_device(Turn& turn, const RolloutName& name, const DeviceId& device,
                    const std::string& reason) {
  const State& state = turn.state;
  const Rollout& rollout = state.rollouts.by_name.at(name);
  const RolloutIndex& index = state.rollouts.attempts.at(name);
  const bool back = rollout.progress.state == RolloutState::kRollingBack;
  const Attempts& attempts = back ? index.rollback : index.rollout;
  const auto newest = attempts.newest.find(device);
  if (newest == attempts.newest.end() || !attempts.awaited.contains(newest->second)) return false;
  give_up(turn, rollout, newest->second, reason);
  return true;
}

// What was on its way to the device as it was does not fit what it is.
bool fits(const State& state, const Device& device, const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  if (known == state.catalogue.artifacts.end()) return true;  // nobody can tell
  const Artifact& artifact = *known->second.artifact;
  return !check_compatibility(artifact.manifest, artifact.algorithms(), device.facts, 0);
}

}  // namespace

Result<CommandReply> skip_device(Turn& turn, const SkipDevice& command, const std::string& etag) {
  const State& state = turn.state;
  const auto found = state.rollouts.by_name.find(command.rollout);
  if (Status known = check_rollout(state, command.rollout, etag); !known) return known.error();
  if (Status known = expect_device(state, command.device); !known) return known.error();
  if (has_ended(found->second.progress.state)) {
    return precondition(
        "ROLLOUT_ENDED",
        fmt::format("rollout {} has ended ({}): it waits for nobody", command.rollout.str(),
                    to_string(found->second.progress.state)));
  }
  if (!give_up_device(turn, command.rollout, command.device, "SKIPPED")) {
    return precondition(
        "NOT_WAITED_FOR",
        fmt::format("rollout {} does not wait for {}: `covey rollout explain {}` "
                    "says for whom it does",
                    command.rollout.str(), command.device.str(), command.rollout.str()));
  }
  turn.event(command.rollout, "DEVICE_SKIPPED", command.device.str(),
             command.explanation.empty() ? "by an operator" : command.explanation);
  turn.urgent();
  return CommandReply{.subject = command.rollout.str(), .changed = 1};
}

void leave_rollouts(Turn& turn, const Device& device, std::string_view reason) {
  const State& state = turn.state;
  const std::set<RolloutName> open = state.rollouts.open;
  for (const RolloutName& name : open) {
    (void)give_up_device(turn, name, device.id, std::string(reason));
  }
}

void leave_fleet(Turn& turn, const Device& device, std::string_view reason) {
  leave_rollouts(turn, device, reason);
  // Assignments, and what rollouts that have ended left to do.
  for (const auto& [name, model] : device.models) {
    const Deployment* open = deployment_in_progress(turn.state, device.id, name);
    if (open != nullptr) {
      advance(turn, open->number, deployment::Cancel{std::string(reason)});
    }
  }
}

void forget_attempts(Turn& turn, const Device& device) {
  RolloutsState& rollouts = own_rollouts(turn);
  bool any = false;
  for (const auto& [name, model] : device.models) {
    any = rollouts.newest_deployment.erase({device.id, name}) != 0 || any;
  }
  for (auto& [name, index] : rollouts.attempts) {
    for (Attempts* attempts : {&index.rollout, &index.rollback}) {
      const auto newest = attempts->newest.find(device.id);
      if (newest == attempts->newest.end()) continue;
      stand_no_more(rollouts, rollouts.deployments.at(newest->second));
      attempts->newest.erase(newest);
      turn.rollout_rows.rollouts.insert(name);
      any = true;
    }
  }
  rollouts.reconcile_due.erase(device.id);
  if (!any) return;
  for (auto next = rollouts.deployments.begin(); next != rollouts.deployments.end();) {
    const auto& [number, deployment] = *next;
    if (deployment.device != device.id) {
      ++next;
      continue;
    }
    if (turn.rollout_rows.deployments.erase(number) != 0) turn.write(PutDeployment{deployment});
    turn.write(ArchiveDeployment{number});
    rollouts.archive_due.erase(number);
    next = rollouts.deployments.erase(next);
  }
}

void device_has_changed(Turn& turn, const DeviceId& id) {
  const State& state = turn.state;
  own_rollouts(turn).reconcile_due.insert(id);
  const Device& device = state.fleet.devices.at(id);
  std::vector<ModelName> models;
  for (const auto& [name, model] : device.models) models.push_back(name);
  for (const ModelName& name : models) {
    if (const DeviceModel& model = device.models.at(name);
        model.desired && !fits(state, device, *model.desired)) {
      change_model(turn, id, name).desired.reset();
    }
    const Deployment* open = deployment_in_progress(state, id, name);
    if (open == nullptr || fits(state, device, open->manifest)) continue;
    advance(turn, open->number, deployment::Cancel{std::string(kDeviceChanged)});
    // The release may have another artifact, for what the device is now.
    if (open->cause != Cause::kRollout) continue;
    const Rollout& rollout = state.rollouts.by_name.at(*open->rollout);
    if (offers(rollout.progress) && admit(state, open->release, device).artifact != nullptr) {
      attempt_again(turn, rollout, *open);
    }
  }
}

}  // namespace covey::engine
