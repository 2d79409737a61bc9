// SPDX-License-Identifier: Apache-2.0
// A stage's devices get a deployment each and are offered the release: some per tick, in the order
// of the plan; a device that is tried again waits behind those that were not tried yet.
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"

namespace covey::engine {
namespace {

const Deployment& queue(Turn& turn, const Rollout& rollout, size_t stage, const DeviceId& device,
                        const Digest& manifest, const Deployment* before) {
  Deployment queued{.device = device,
                    .release = rollout.plan->rules.release,
                    .manifest = manifest,
                    .rollout = rollout.plan->name,
                    .stage = static_cast<uint32_t>(stage),
                    .cause = Cause::kRollout,
                    // While queued the deadline is the patience with a device that is offline.
                    .deadline = turn.state.site.observed + rollout.plan->rules.skip_after};
  if (before != nullptr) {
    queued.previous = before->previous;
    queued.attempted = before->attempted;  // a device is attempted once
    queued.attempt_in_rollout = before->attempt_in_rollout + 1;
  }
  return create_deployment(turn, std::move(queued));
}

void queue_device(Turn& turn, const Rollout& rollout, size_t stage, const DeviceId& id) {
  const State& state = turn.state;
  const ReleaseId& release = rollout.plan->rules.release;
  const auto device = state.fleet.devices.find(id);
  if (device == state.fleet.devices.end() || device->second.state != DeviceState::kAccepted) {
    turn.event(rollout.plan->name, "DEVICE_SKIPPED", id.str(), "it is not of the fleet any more");
    return;
  }
  const Admission admission = admit(state, release, device->second);
  if (admission.artifact == nullptr) {
    turn.event(rollout.plan->name, "DEVICE_SKIPPED", id.str(), admission.explanation);
    return;
  }
  if (const Deployment* other = deployment_in_progress(state, id, release.model)) {
    // A standing assignment on its way gives way to the newer decision.
    advance(turn, other->number, deployment::Cancel{std::string(kSuperseded)});
  }
  (void)queue(turn, rollout, stage, id, admission.artifact->artifact->digest, nullptr);
}

}  // namespace

uint32_t devices_to_queue(const Rollout& rollout) {
  const std::optional<size_t> stage = current_stage(rollout.progress);
  if (!stage || rollout.progress.stages[*stage].state == StageState::kPending) return 0;
  const uint32_t end = rollout.plan->ends[*stage];
  return end - std::min(end, rollout.progress.queued);
}

void begin_stage(Turn& turn, const RolloutName& name, size_t stage) {
  Rollout& rollout = own_rollouts(turn).by_name.at(name);
  rollout.progress.queued = stage == 0 ? 0 : rollout.plan->ends[stage - 1];
  TickBudget budget;
  queue_stage(turn, name, budget);
}

void queue_stage(Turn& turn, const RolloutName& name, TickBudget& budget) {
  Rollout& rollout = own_rollouts(turn).by_name.at(name);
  const std::optional<size_t> stage = current_stage(rollout.progress);
  if (!stage || !offers(rollout.progress)) return;
  while (devices_to_queue(rollout) > 0 && budget.take_change()) {
    queue_device(turn, rollout, *stage, rollout.plan->order[rollout.progress.queued]);
    ++rollout.progress.queued;
    turn.rollout_rows.rollouts.insert(name);
  }
}

void offer_stage(Turn& turn, const Rollout& rollout, TickBudget& budget) {
  const State& state = turn.state;
  const std::optional<size_t> stage = current_stage(rollout.progress);
  if (!stage || !offers(rollout.progress) || !state.clocks.broker_connected()) return;
  const uint32_t most = rollout.plan->rules.stages[*stage].max_in_flight;
  Attempts& attempts = own_rollouts(turn).attempts.at(rollout.plan->name).rollout;
  while (!attempts.here.empty() && (most == 0 || attempts.flying.size() < most)) {
    const auto first = attempts.here.begin();
    if (!can_be_offered(state, state.rollouts.deployments.at(*first))) {
      if (!budget.take_look()) return;
      attempts.away.insert(attempts.here.extract(first));
      continue;
    }
    if (!budget.take_offer()) return;
    offer(turn, *first, rollout.plan->rules.attempt.deadline);
  }
}

void attempt_again(Turn& turn, const Rollout& rollout, const Deployment& ended) {
  if (ended.cause == Cause::kRollout) {
    // Its device may be another one by now, for which another artifact is right.
    const Admission admission =
        admit(turn.state, ended.release, turn.state.fleet.devices.at(ended.device));
    const bool fits = admission.artifact != nullptr;
    const Digest manifest = fits ? admission.artifact->artifact->digest : ended.manifest;
    const Deployment& queued = queue(turn, rollout, ended.stage, ended.device, manifest, &ended);
    if (!fits) advance(turn, queued.number, deployment::Cancel{std::string(kDeviceChanged)});
    return;
  }
  create_deployment(turn, {.device = ended.device,
                           .release = ended.release,
                           .manifest = ended.manifest,
                           .rollout = ended.rollout,
                           .stage = ended.stage,
                           .cause = Cause::kRollback,
                           .attempt_in_rollout = ended.attempt_in_rollout + 1});
}

rollout::StageFacts stage_facts(const State& state, const Rollout& rollout) {
  const Attempts& attempts = state.rollouts.attempts.at(rollout.plan->name).rollout;
  const std::optional<size_t> stage = current_stage(rollout.progress);
  const uint32_t targeted = stage ? rollout.plan->ends[*stage] : 0;
  return {.waiting = attempts.waiting() + devices_to_queue(rollout),
          .in_flight = static_cast<uint32_t>(attempts.flying.size()),
          .can_roll_back = attempts.with_previous > 0,
          .targeted = targeted - std::min(targeted, attempts.left),
          .confirmed = static_cast<uint32_t>(attempts.newest.size() - attempts.unproven.size()) -
                       attempts.left,
          .reason = {},
          .explanation = {}};
}

}  // namespace covey::engine
