// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kAssignmentFailuresMax = 5;
constexpr Millis kAssignmentBackoff = 30s;
constexpr std::string_view kFetchTimeout = "FETCH_TIMEOUT";  // of the agent

// When the next attempt may come.
Millis retry_time(const State& state, const Deployment& deployment, const DeviceModel& model) {
  const Millis asked =
      state.site.observed +
      std::min<Millis>(std::chrono::seconds(model.reported.retry_after_s), kRetryAfterMax);
  Millis backoff{0};
  if (deployment.rollout) {
    backoff = state.rollouts.by_name.at(*deployment.rollout).plan->rules.attempt.backoff;
  }
  return std::max(state.site.observed + backoff, asked);
}

uint32_t attempt_bound(uint32_t attempt_last) {
  constexpr uint32_t kLast = UINT32_MAX / 2;
  return std::min(kLast, std::min(attempt_last, kLast) + kAttemptStepMax);
}

void note_failure(Turn& turn, const Deployment& deployment) {
  if (!deployment.rollout || deployment.state == DeploymentState::kConfirmed ||
      deployment.state == DeploymentState::kCanceled) {
    return;
  }
  turn.event(*deployment.rollout, fmt::format("DEPLOYMENT_{}", to_string(deployment.state)),
             deployment.device.str(),
             fmt::format("{} (attempt {})", deployment.reason, deployment.attempt_in_rollout));
}

// Its goal has room again for the work of other models that waits.
void wake_others(RolloutsState& rollouts, const State& state, const Deployment& ended) {
  if (!is_online(state, ended.device)) return;
  for (const auto& [name, model] : state.fleet.devices.at(ended.device).models) {
    const Deployment* waits = deployment_in_progress(state, ended.device, name);
    if (name == ended.release.model || waits == nullptr || !waits->rollout) continue;
    const auto index = rollouts.attempts.find(*waits->rollout);
    if (index == rollouts.attempts.end()) continue;
    for (Attempts* attempts : {&index->second.rollout, &index->second.rollback}) {
      if (attempts->away.erase(waits->number) != 0) attempts->here.insert(waits->number);
    }
  }
}

// A rollback has stopped waiting for the device, which is back all the same.
void prove_rollbacks(Turn& turn, const Deployment& proof) {
  RolloutsState& rollouts = own_rollouts(turn);
  for (const std::set<RolloutName>* names : {&rollouts.open, &rollouts.unsettled}) {
    for (const RolloutName& name : *names) {
      const Attempts& attempts = rollouts.attempts.at(name).rollback;
      const auto newest = attempts.newest.find(proof.device);
      if (newest == attempts.newest.end() || !attempts.unproven.contains(newest->second)) continue;
      Deployment& stored = rollouts.deployments.at(newest->second);
      if (stored.manifest != proof.manifest || !has_ended(stored.state)) continue;
      stand_no_more(rollouts, stored);
      stored.late_confirmed = true;
      stand(rollouts, stored);
      turn.rollout_rows.deployments.insert(stored.number);
      turn.rollout_rows.rollouts.insert(name);
    }
  }
}

void ended(Turn& turn, const Deployment& deployment) {
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  rollouts.in_progress.erase(deployment.number);
  rollouts.expiry_at.erase(deployment.number);
  DeviceModel& model = change_model(turn, deployment.device, deployment.release.model);
  if (deployment.state == DeploymentState::kConfirmed) {
    model.desired = deployment.manifest;
    model.assignment_failures = 0;
    model.retry_not_before = Millis{0};
    // The proof is a sign of life: reports are expected from now on.
    change_session(turn, deployment.device).last_report_observed = state.site.observed;
    if (deployment.cause == Cause::kAssignment) prove_rollbacks(turn, deployment);
  } else if (deployment.cause != Cause::kRollout) {
    // What must be comes again, later and later; a rollback never gives up.
    model.assignment_failures = std::min(model.assignment_failures + 1, kAssignmentFailuresMax);
    model.retry_not_before =
        state.site.observed + kAssignmentBackoff * (1U << (model.assignment_failures - 1));
  } else {
    model.retry_not_before = retry_time(state, deployment, model);
  }
  rollouts.reconcile_due.insert(deployment.device);
  wake_others(rollouts, state, deployment);
  note_failure(turn, deployment);
}

// An offer and a probation have deadlines of their own, within that of the attempt.
void limit_step(Turn& turn, const Deployment& deployment) {
  Millis deadline{0};
  if (deployment.state == DeploymentState::kOffered) {
    deadline = turn.state.site.observed + turn.config.goal_lease;
  } else if (deployment.state == DeploymentState::kProbation) {
    deadline = turn.state.site.observed + turn.config.probation_deadline;
  }
  change_model(turn, deployment.device, deployment.release.model).step_deadline = deadline;
}

struct ApplyToDeployment {
  Turn& turn;
  const Deployment& deployment;
  void operator()(const deployment::GoalChanged&) const {
    refresh_goal(turn, deployment.device);
    turn.urgent();
  }
  void operator()(const deployment::Ended&) const {
    ended(turn, deployment);
    turn.urgent();
  }
};

}  // namespace

const Deployment* deployment_in_progress(const State& state, const DeviceId& device,
                                         const ModelName& model) {
  const auto newest = state.rollouts.newest_deployment.find({device, model});
  if (newest == state.rollouts.newest_deployment.end()) return nullptr;
  const Deployment& deployment = state.rollouts.deployments.at(newest->second);
  return has_ended(deployment.state) ? nullptr : &deployment;
}

const Deployment& create_deployment(Turn& turn, Deployment deployment) {
  RolloutsState& rollouts = own_rollouts(turn);
  COVEY_ASSERT(deployment_in_progress(turn.state, deployment.device, deployment.release.model) ==
               nullptr);
  deployment.number = turn.next_deployment_number();
  deployment.create_wall = turn.now.wall;
  deployment.update_wall = turn.now.wall;
  (void)change_model(turn, deployment.device, deployment.release.model);
  uint64_t& newest = rollouts.newest_deployment[{deployment.device, deployment.release.model}];
  if (newest != 0) rollouts.archive_due.insert(newest);
  newest = deployment.number;
  rollouts.in_progress.insert(deployment.number);
  if (deployment.rollout) {
    RolloutIndex& index = rollouts.attempts.at(*deployment.rollout);
    Attempts& attempts = deployment.cause == Cause::kRollback ? index.rollback : index.rollout;
    uint64_t& attempt = attempts.newest[deployment.device];
    if (attempt != 0) {
      const Deployment& before = rollouts.deployments.at(attempt);
      stand_no_more(rollouts, before);
      count(turn, before, false);
      rollouts.archive_due.insert(attempt);
    }
    attempt = deployment.number;
    count(turn, deployment, true);
    turn.rollout_rows.rollouts.insert(*deployment.rollout);
  }
  turn.rollout_rows.deployments.insert(deployment.number);
  const Deployment& created =
      rollouts.deployments.emplace(deployment.number, std::move(deployment)).first->second;
  stand(rollouts, created);
  expire_in_time(rollouts, turn.state, created);
  return created;
}

void advance(Turn& turn, uint64_t number, const deployment::Event& event) {
  RolloutsState& rollouts = own_rollouts(turn);
  Deployment& stored = rollouts.deployments.at(number);
  deployment::Step step = deployment::step(stored, event, turn.now);
  if (step.state == stored) return;
  const Deployment was = std::exchange(stored, std::move(step.state));
  const bool moved = stored.state != was.state;
  if (moved || stored.late_confirmed != was.late_confirmed) {
    // What changes its state has not ended; this is the newest of its device.
    stand_no_more(rollouts, was);
    stand(rollouts, stored);
  }
  if (moved) {
    limit_step(turn, stored);
    expire_in_time(rollouts, turn.state, stored);
    count(turn, was, false);
    count(turn, stored, true);
  }
  turn.rollout_rows.deployments.insert(number);
  if (stored.rollout) turn.rollout_rows.rollouts.insert(*stored.rollout);
  for (const deployment::Effect& effect : step.effects)
    std::visit(ApplyToDeployment{turn, stored}, effect);
  if (moved) retry_in_time(rollouts, turn.state, stored);
  if (moved && stored.reason == kFetchTimeout) {
    // Its radio, or the broker lacks what is retained there: lost on our way to it.
    const auto release = turn.state.catalogue.releases.find(stored.release);
    if (release != turn.state.catalogue.releases.end()) publish_release(turn, release->second);
  }
}

void offer(Turn& turn, uint64_t number, Millis deadline_after) {
  const Deployment& deployment = turn.state.rollouts.deployments.at(number);
  DeviceModel& model = change_model(turn, deployment.device, deployment.release.model);
  model.attempt_last = std::max(model.attempt_last, model.attempt_last + 1);
  ++turn.counters().offers;
  own_rollouts(turn).telling.left -= 1;
  advance(turn, number,
          deployment::Offered{.deadline = turn.state.site.observed + deadline_after,
                              .attempt = model.attempt_last,
                              .previous = model.reported.confirmed});
}

void on_model_report(Turn& turn, const Device& device, const ModelReport& report) {
  const State& state = turn.state;
  const auto known = device.models.find(report.model);
  if (known == device.models.end() && device.models.size() >= kModelsPerDeviceMax) return;
  const bool news = known == device.models.end() || known->second.reported != report ||
                    known->second.attempt_last < report.attempt;
  if (news) {
    DeviceModel& model = change_model(turn, device.id, report.model);
    // Numbers only rise, also where the store is older than the device; by what is possible.
    model.attempt_last =
        std::max(model.attempt_last, std::min(report.attempt, attempt_bound(model.attempt_last)));
    if (model.reported != report) {
      model.reported = report;
      own_rollouts(turn).reconcile_due.insert(device.id);
    }
  }
  const auto newest = state.rollouts.newest_deployment.find({device.id, report.model});
  if (newest != state.rollouts.newest_deployment.end()) {
    advance(turn, newest->second, deployment::DeviceReported{report});
  }
}

void device_is_here(Turn& turn, const DeviceId& id) {
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  rollouts.reconcile_due.insert(id);
  const auto device = state.fleet.devices.find(id);
  if (device == state.fleet.devices.end()) return;
  for (const auto& [name, model] : device->second.models) {
    const auto newest = rollouts.newest_deployment.find({id, name});
    if (newest == rollouts.newest_deployment.end()) continue;
    const Deployment& deployment = rollouts.deployments.at(newest->second);
    if (!deployment.rollout) continue;
    const auto index = rollouts.attempts.find(*deployment.rollout);
    if (index == rollouts.attempts.end()) continue;
    for (Attempts* attempts : {&index->second.rollout, &index->second.rollback}) {
      if (attempts->away.erase(deployment.number) != 0) attempts->here.insert(deployment.number);
    }
    if (deployment.cause == Cause::kRollback) retry_in_time(rollouts, state, deployment);
  }
}

void write_deployments(Turn& turn) {
  for (const uint64_t number : turn.rollout_rows.deployments) {
    turn.write(PutDeployment{turn.state.rollouts.deployments.at(number)});
  }
  for (const CountKey& key : turn.rollout_rows.counts) {
    const auto& [rollout, stage, rollback, name] = key;
    turn.write(PutCount{{rollout, stage, rollback, name, turn.state.rollouts.counts.at(key)}});
  }
}

}  // namespace covey::engine
