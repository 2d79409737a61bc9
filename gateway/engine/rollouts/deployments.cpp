#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kAssignmentFailuresMax = 5;
constexpr Millis kAssignmentBackoff = 30s;
constexpr std::string_view kFetchTimeout = "FETCH_TIMEOUT";  // of the agent

void ended(Turn& turn, const Deployment& deployment) {
  State& state = turn.state;
  state.rollouts.in_progress.erase(deployment.number);
  Device& device = change_device(turn, deployment.device);
  DeviceModel& model = device.models.at(deployment.release.model);
  if (deployment.state == DeploymentState::kConfirmed) {
    model.desired = deployment.manifest;
    model.assignment_failures = 0;
    model.retry_not_before = Millis{0};
    // The proof is a sign of life: reports are expected from now on.
    change_session(turn, deployment.device).last_report_observed = state.site.observed;
  } else if (deployment.cause != Cause::kRollout) {
    // What must be comes again, later and later; a rollback never gives up.
    model.assignment_failures = std::min(model.assignment_failures + 1, kAssignmentFailuresMax);
    model.retry_not_before =
        state.site.observed + kAssignmentBackoff * (1U << (model.assignment_failures - 1));
  } else {
    model.retry_not_before = state.site.observed;
    if (deployment.rollout) {
      const auto rollout = state.rollouts.by_name.find(*deployment.rollout);
      if (rollout != state.rollouts.by_name.end()) {
        model.retry_not_before += rollout->second.plan->rules.attempt.backoff;
      }
    }
    model.retry_not_before =
        std::max(model.retry_not_before,
                 state.site.observed + std::chrono::seconds(model.reported.retry_after_s));
  }
  state.rollouts.reconcile_due.insert(deployment.device);
  if (deployment.rollout && deployment.state != DeploymentState::kConfirmed &&
      deployment.state != DeploymentState::kCanceled) {
    turn.event(*deployment.rollout, "DEPLOYMENT_" + std::string(to_string(deployment.state)),
               deployment.device.str(),
               deployment.reason + " (attempt " + std::to_string(deployment.attempt) + ")");
  }
}

// An offer and a probation have deadlines of their own, within that of the attempt.
void limit_step(Turn& turn, const Deployment& deployment) {
  Device& device = change_device(turn, deployment.device);
  Millis& deadline = device.models.at(deployment.release.model).step_deadline;
  deadline = Millis{0};
  if (deployment.state == DeploymentState::kOffered) {
    deadline = turn.state.site.observed + turn.config.goal_lease;
  } else if (deployment.state == DeploymentState::kProbation) {
    deadline = turn.state.site.observed + turn.config.probation_deadline;
  }
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

Deployment& create_deployment(Turn& turn, Deployment deployment) {
  State& state = turn.state;
  COVEY_ASSERT(deployment_in_progress(state, deployment.device, deployment.release.model) ==
               nullptr);
  deployment.number = ++state.site.deployment_number;
  deployment.create_wall = turn.now.wall;
  deployment.update_wall = turn.now.wall;
  change_device(turn, deployment.device)
      .models.try_emplace(deployment.release.model)
      .first->second.reported.model = deployment.release.model;
  uint64_t& newest =
      state.rollouts.newest_deployment[{deployment.device, deployment.release.model}];
  if (newest != 0) state.rollouts.archive_due.insert(newest);
  newest = deployment.number;
  state.rollouts.in_progress.insert(deployment.number);
  if (deployment.rollout) {
    RolloutIndex& index = state.rollouts.attempts[*deployment.rollout];
    auto& devices = deployment.cause == Cause::kRollback ? index.rollback : index.rollout;
    uint64_t& attempt = devices[deployment.device];
    if (attempt != 0) {
      count(turn, state.rollouts.deployments.at(attempt), false);
      state.rollouts.archive_due.insert(attempt);
    }
    attempt = deployment.number;
    count(turn, deployment, true);
    turn.rollout_rows.rollouts.insert(*deployment.rollout);
  }
  turn.rollout_rows.deployments.insert(deployment.number);
  return state.rollouts.deployments.emplace(deployment.number, std::move(deployment)).first->second;
}

void advance(Turn& turn, uint64_t number, const deployment::Event& event) {
  Deployment& stored = turn.state.rollouts.deployments.at(number);
  deployment::Step step = deployment::step(stored, event, turn.now);
  if (step.state == stored) return;
  const Deployment was = std::exchange(stored, std::move(step.state));
  const DeploymentState before = was.state;
  if (stored.state != before) {
    limit_step(turn, stored);
    // What changes its state has not ended, and is the newest of its device.
    count(turn, was, false);
    count(turn, stored, true);
  }
  turn.rollout_rows.deployments.insert(number);
  if (stored.rollout) turn.rollout_rows.rollouts.insert(*stored.rollout);
  for (const deployment::Effect& effect : step.effects)
    std::visit(ApplyToDeployment{turn, stored}, effect);
  if (stored.state != before && stored.reason == kFetchTimeout) {
    // Its radio, or the broker lacks what is retained there: lost on our way to it.
    const auto release = turn.state.catalogue.releases.find(stored.release);
    if (release != turn.state.catalogue.releases.end()) publish_release(turn, release->second);
  }
}

void offer(Turn& turn, uint64_t number, Millis deadline_after) {
  const Deployment& deployment = turn.state.rollouts.deployments.at(number);
  Device& device = change_device(turn, deployment.device);
  DeviceModel& model = device.models.at(deployment.release.model);
  ++model.attempt_last;
  advance(turn, number,
          deployment::Offered{.deadline = turn.state.site.observed + deadline_after,
                              .attempt = model.attempt_last,
                              .previous = model.reported.confirmed});
}

void on_model_report(Turn& turn, Device& device, const ModelReport& report) {
  auto found = device.models.find(report.model);
  if (found == device.models.end()) {
    if (device.models.size() >= kModelsPerDeviceMax) return;
    found = device.models.try_emplace(report.model).first;
  }
  DeviceModel& model = found->second;
  // Numbers only rise, also where the store is older than the device.
  model.attempt_last = std::max(model.attempt_last, report.attempt);
  if (model.reported != report) {
    model.reported = report;
    change_device(turn, device.id);
    turn.state.rollouts.reconcile_due.insert(device.id);
    for (const auto& [name, rollout] : turn.state.rollouts.by_name) {
      if (!has_ended(rollout.progress.state) && rollout.plan->rules.release.model == report.model) {
        turn.rollout_rows.rollouts.insert(name);
      }
    }
  }
  const auto newest = turn.state.rollouts.newest_deployment.find({device.id, report.model});
  if (newest != turn.state.rollouts.newest_deployment.end()) {
    advance(turn, newest->second, deployment::DeviceReported{report});
  }
}

void expire_deployments(Turn& turn) {
  if (in_grace(turn)) return;
  const deployment::Event event = deployment::ObservedTime{turn.state.site.observed};
  const std::vector<uint64_t> numbers(turn.state.rollouts.in_progress.begin(),
                                      turn.state.rollouts.in_progress.end());
  for (const uint64_t number : numbers) {
    const Deployment& deployment = turn.state.rollouts.deployments.at(number);
    if (!in_flight(deployment.state)) continue;
    const Millis step = turn.state.fleet.devices.at(deployment.device)
                            .models.at(deployment.release.model)
                            .step_deadline;
    if (turn.state.site.observed >= deployment.deadline) {
      advance(turn, number, event);
    } else if (step.count() != 0 && turn.state.site.observed >= step) {
      const bool offered = deployment.state == DeploymentState::kOffered;
      advance(turn, number,
              deployment::StepLapsed{offered ? "OFFER_LAPSED" : "PROBATION_DEADLINE"});
    }
  }
}

Admission admit(const State& state, const ReleaseId& release, const Device& device) {
  const auto found = state.catalogue.releases.find(release);
  if (found == state.catalogue.releases.end()) {
    return {nullptr, "RELEASE_NOT_FOUND", to_string(release) + " was not pushed"};
  }
  Admission refused{
      nullptr, "CLASS_MISMATCH",
      "no artifact of " + to_string(release) + " is for class " + device.facts.device_class.str()};
  uint32_t floor = 0;
  if (const auto model = device.models.find(release.model); model != device.models.end()) {
    floor = floor_of(model->second);
  }
  for (const ArtifactRecord& record : found->second.artifacts) {
    const auto obstacle = check_compatibility(record.artifact->manifest,
                                              record.artifact->algorithms(), device.facts, floor);
    if (!obstacle) return {&state.catalogue.artifacts.at(record.artifact->digest), "", ""};
    if (obstacle->reason != IncompatibilityReason::kClassMismatch) {
      refused.reason = std::string(to_string(obstacle->reason));
      refused.explanation = obstacle->explanation;
    }
  }
  return refused;
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
