#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

uint32_t count_in_flight(const State& state, const RolloutName& rollout) {
  const auto index = state.rollouts.attempts.find(rollout);
  if (index == state.rollouts.attempts.end()) return 0;
  return static_cast<uint32_t>(std::count_if(
      index->second.rollout.begin(), index->second.rollout.end(), [&](const auto& entry) {
        return in_flight(state.rollouts.deployments.at(entry.second).state);
      }));
}

void queue(Turn& turn, const Rollout& rollout, size_t stage, const DeviceId& device,
           const Digest& manifest, const Deployment* before) {
  Deployment& created = create_deployment(turn, {.device = device,
                                                 .release = rollout.plan->rules.release,
                                                 .manifest = manifest,
                                                 .rollout = rollout.plan->name,
                                                 .stage = static_cast<uint32_t>(stage),
                                                 .cause = Cause::kRollout});
  if (before != nullptr) {
    created.previous = before->previous;
    created.attempted = before->attempted;  // a device is attempted once
    created.attempt_in_rollout = before->attempt_in_rollout + 1;
  }
  // While queued the deadline is the patience with a device that is offline.
  created.deadline = turn.state.site.observed + rollout.plan->rules.skip_after;
}

}  // namespace

void queue_stage(Turn& turn, const Rollout& rollout, size_t stage) {
  State& state = turn.state;
  const size_t begin = stage == 0 ? 0 : rollout.plan->ends[stage - 1];
  for (size_t i = begin; i < rollout.plan->ends[stage]; ++i) {
    const DeviceId& id = rollout.plan->order[i];
    Device& device = state.fleet.devices.at(id);
    const Admission admission = admit(state, rollout.plan->rules.release, device);
    if (admission.artifact == nullptr) {
      turn.event(rollout.plan->name, "DEVICE_SKIPPED", id.str(), admission.explanation);
      continue;
    }
    const ModelName& model = rollout.plan->rules.release.model;
    if (const Deployment* other = deployment_in_progress(state, id, model)) {
      // A standing assignment on its way gives way to the newer decision.
      advance(turn, other->number, deployment::Cancel{"SUPERSEDED"});
    }
    queue(turn, rollout, stage, id, admission.artifact->artifact->digest, nullptr);
  }
}

void offer_stage(Turn& turn, Rollout& rollout, uint32_t& budget) {
  State& state = turn.state;
  const std::optional<size_t> stage = current_stage(rollout.progress);
  if (!offers(rollout.progress) || !stage || !state.clocks.broker_connected) return;
  const Stage& rules = rollout.plan->rules.stages[*stage];
  uint32_t in_flight_now = count_in_flight(state, rollout.plan->name);
  const auto devices = state.rollouts.attempts[rollout.plan->name].rollout;
  for (size_t i = 0; i < rollout.plan->ends[*stage]; ++i) {
    const DeviceId& id = rollout.plan->order[i];
    const auto newest = devices.find(id);
    if (newest == devices.end()) continue;
    const Deployment& deployment = state.rollouts.deployments.at(newest->second);
    const bool reachable = is_reachable(state, id);
    if (deployment.state == DeploymentState::kQueued) {
      if (!reachable) {
        if (state.site.observed >= deployment.deadline && !in_grace(turn)) {
          advance(turn, deployment.number, deployment::Cancel{"OFFLINE_SKIPPED"});
        }
        continue;
      }
      if (budget == 0 || (rules.max_in_flight != 0 && in_flight_now >= rules.max_in_flight)) {
        continue;
      }
      offer(turn, deployment.number, rollout.plan->rules.attempt.deadline);
      --budget;
      ++in_flight_now;
    } else if (has_ended(deployment.state) && worth_retrying(deployment) &&
               deployment.attempt_in_rollout <= rollout.plan->rules.attempt.retries &&
               deployment_in_progress(state, id, rollout.plan->rules.release.model) == nullptr) {
      const DeviceModel& model =
          state.fleet.devices.at(id).models.at(rollout.plan->rules.release.model);
      if (state.site.observed < model.retry_not_before) continue;
      queue(turn, rollout, deployment.stage, id, deployment.manifest, &deployment);
    }
  }
}

void start_rollback(Turn& turn, const Rollout& rollout) {
  State& state = turn.state;
  const ModelName& name = rollout.plan->rules.release.model;
  // It had ended: newer decisions about a device stand (last in, first out).
  const bool late = rollout.progress.end_observed.count() != 0;
  const auto devices = state.rollouts.attempts[rollout.plan->name].rollout;
  for (const auto& [id, number] : devices) {
    const Deployment& deployment = state.rollouts.deployments.at(number);
    // Only what was offered once has a previous release; a first model has none.
    if (!deployment.previous) continue;
    DeviceModel& model = change_device(turn, id).models.at(name);
    if (late && model.desired != deployment.manifest) continue;
    send_back(turn, rollout, deployment);
  }
}

void send_back(Turn& turn, const Rollout& rollout, const Deployment& deployment) {
  State& state = turn.state;
  const ModelName& name = rollout.plan->rules.release.model;
  const DeviceId id = deployment.device;
  const Digest previous = *deployment.previous;
  const uint32_t stage = deployment.stage;
  DeviceModel& model = change_device(turn, id).models.at(name);
  if (const Deployment* open = deployment_in_progress(state, id, name);
      open != nullptr && open->cause == Cause::kAssignment &&
      open->release == rollout.plan->rules.release) {
    advance(turn, open->number, deployment::Cancel{"ROLLBACK"});
  }
  model.desired = previous;
  model.assignment_failures = 0;
  model.retry_not_before = Millis{0};
  if (deployment_in_progress(state, id, name) != nullptr) return;
  const auto known = state.catalogue.artifacts.find(previous);
  create_deployment(
      turn, {.device = id,
             .release = known != state.catalogue.artifacts.end() ? known->second.release
                                                                 : ReleaseId{name, Version{}},
             .manifest = previous,
             .rollout = rollout.plan->name,
             .stage = stage,
             .cause = Cause::kRollback});
}

void offer_rollback(Turn& turn, const Rollout& rollout) {
  State& state = turn.state;
  if (!state.clocks.broker_connected) return;
  const auto devices = state.rollouts.attempts[rollout.plan->name].rollback;
  for (const auto& [id, number] : devices) {
    const Deployment& deployment = state.rollouts.deployments.at(number);
    if (!is_reachable(state, id)) continue;
    if (deployment.state == DeploymentState::kQueued) {
      offer(turn, number, rollout.plan->rules.attempt.deadline);
    } else if (has_ended(deployment.state) && deployment.state != DeploymentState::kConfirmed &&
               deployment_in_progress(state, id, rollout.plan->rules.release.model) == nullptr) {
      const DeviceModel& model =
          state.fleet.devices.at(id).models.at(rollout.plan->rules.release.model);
      if (state.site.observed < model.retry_not_before) continue;
      create_deployment(turn, {.device = id,
                               .release = deployment.release,
                               .manifest = deployment.manifest,
                               .rollout = rollout.plan->name,
                               .stage = deployment.stage,
                               .cause = Cause::kRollback,
                               .attempt_in_rollout = deployment.attempt_in_rollout + 1});
    }
  }
}

rollout::RollbackFacts rollback_facts(const State& state, const Rollout& rollout) {
  rollout::RollbackFacts facts;
  const auto index = state.rollouts.attempts.find(rollout.plan->name);
  if (index == state.rollouts.attempts.end()) return facts;
  for (const auto& [id, number] : index->second.rollback) {
    if (state.rollouts.deployments.at(number).state == DeploymentState::kConfirmed) continue;
    ++facts.outstanding;
    if (is_reachable(state, id)) ++facts.reachable;
  }
  return facts;
}

}  // namespace covey::engine
