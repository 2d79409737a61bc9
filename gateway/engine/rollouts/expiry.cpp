// SPDX-License-Identifier: Apache-2.0
// What waits for observed time: attempts and their steps, the patience with devices that are away,
// the next attempt after a failure. Each is looked at when its time has come.
#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"

namespace covey::engine {
namespace {

// Nothing can be done now (a pause, a device that is here but whose turn has not come): look again.
constexpr Millis kLookAgain = 10s;

const DeviceModel& model_of(const State& state, const Deployment& deployment) {
  return state.fleet.devices.at(deployment.device).models.at(deployment.release.model);
}

// Observed time; 0: never.
Millis end_of(const State& state, const Deployment& deployment) {
  if (deployment.state == DeploymentState::kQueued) {
    return deployment.cause == Cause::kRollout ? deployment.deadline : Millis{0};
  }
  if (!in_flight(deployment.state)) return Millis{0};
  const Millis step = model_of(state, deployment).step_deadline;
  return step.count() != 0 ? std::min(step, deployment.deadline) : deployment.deadline;
}

std::string_view why_not_offered(const State& state, const Deployment& deployment) {
  if (!is_online(state, deployment.device)) return "OFFLINE_SKIPPED";
  return is_quarantined(state, deployment.device) ? "QUARANTINED" : "GOAL_FULL";
}

// Its time has come. When it is to be looked at again, if it is.
std::optional<Millis> expire(Turn& turn, const Deployment& deployment) {
  const State& state = turn.state;
  const uint64_t number = deployment.number;
  if (deployment.state == DeploymentState::kQueued) {
    const Rollout& rollout = state.rollouts.by_name.at(*deployment.rollout);
    const bool could_be_offered = offers(rollout.progress) && state.clocks.broker_connected();
    // Its turn comes, or somebody else's that it waits for ends.
    if (!could_be_offered || can_be_offered(state, deployment)) {
      return state.site.observed + kLookAgain;
    }
    advance(turn, number, deployment::Cancel{std::string(why_not_offered(state, deployment))});
  } else if (state.site.observed >= deployment.deadline) {
    advance(turn, number, deployment::ObservedTime{state.site.observed});
  } else {
    const bool offered = deployment.state == DeploymentState::kOffered;
    advance(turn, number, deployment::StepLapsed{offered ? "OFFER_LAPSED" : "PROBATION_DEADLINE"});
  }
  return std::nullopt;
}

bool is_newest(const RolloutIndex& index, const Deployment& deployment) {
  const auto& newest =
      (deployment.cause == Cause::kRollback ? index.rollback : index.rollout).newest;
  const auto found = newest.find(deployment.device);
  return found != newest.end() && found->second == deployment.number;
}

std::optional<Millis> retry(Turn& turn, const Deployment& ended) {
  const State& state = turn.state;
  const auto index = state.rollouts.attempts.find(*ended.rollout);
  if (index == state.rollouts.attempts.end() || !is_newest(index->second, ended)) {
    return std::nullopt;
  }
  const Rollout& rollout = state.rollouts.by_name.at(*ended.rollout);
  if (has_ended(rollout.progress.state)) return std::nullopt;
  const bool back = ended.cause == Cause::kRollback;
  if (!retry_follows(rollout, ended)) return std::nullopt;
  const DeviceModel& model = model_of(state, ended);
  if (state.site.observed < model.retry_not_before) return model.retry_not_before;
  const bool wanted = back ? rollout.progress.state == RolloutState::kRollingBack &&
                                 is_reachable(state, ended.device)
                           : offers(rollout.progress);
  if (!wanted || !state.clocks.broker_connected() ||
      deployment_in_progress(state, ended.device, ended.release.model) != nullptr) {
    return state.site.observed + kLookAgain;
  }
  attempt_again(turn, rollout, ended);
  return std::nullopt;
}

}  // namespace

void expire_in_time(RolloutsState& rollouts, const State& state, const Deployment& deployment) {
  const Millis end = end_of(state, deployment);
  if (end.count() == 0) return;
  const auto [noted, first] = rollouts.expiry_at.try_emplace(deployment.number, end);
  if (!first && noted->second <= end) return;  // it is looked at before that, and noted anew
  noted->second = end;
  rollouts.expiries.add(end, deployment.number);
}

void retry_in_time(RolloutsState& rollouts, const State& state, const Deployment& ended) {
  if (!ended.rollout || !has_ended(ended.state)) return;
  if (ended.state == DeploymentState::kConfirmed) return;
  rollouts.retries.add(model_of(state, ended).retry_not_before, ended.number);
}

void expire_deployments(Turn& turn) {
  if (in_grace(turn)) return;
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  rollouts.expiries.run(state.site.observed, kExpiredPerTick,
                        [&](uint64_t number, Millis at) -> std::optional<Millis> {
                          const auto noted = rollouts.expiry_at.find(number);
                          if (noted == rollouts.expiry_at.end() || noted->second != at)
                            return std::nullopt;
                          rollouts.expiry_at.erase(noted);
                          const auto found = rollouts.deployments.find(number);
                          if (found == rollouts.deployments.end()) return std::nullopt;
                          const Millis end = end_of(state, found->second);
                          if (end.count() == 0) return std::nullopt;
                          const std::optional<Millis> again =
                              state.site.observed < end ? end : expire(turn, found->second);
                          if (again) rollouts.expiry_at.insert_or_assign(number, *again);
                          return again;
                        });
}

void retry_deployments(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  rollouts.retries.run(turn.state.site.observed, kRetriedPerTick,
                       [&](uint64_t number, Millis) -> std::optional<Millis> {
                         const auto ended = rollouts.deployments.find(number);
                         if (ended == rollouts.deployments.end()) return std::nullopt;
                         return retry(turn, ended->second);
                       });
}

}  // namespace covey::engine
