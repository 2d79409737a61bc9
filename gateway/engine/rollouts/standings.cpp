// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/rollouts/standings.hpp"

namespace covey::engine {
namespace {

// nullptr: an assignment's, or its rollout is settled.
Attempts* attempts_of(RolloutsState& rollouts, const Deployment& deployment) {
  if (!deployment.rollout) return nullptr;
  const auto index = rollouts.attempts.find(*deployment.rollout);
  if (index == rollouts.attempts.end()) return nullptr;
  return deployment.cause == Cause::kRollback ? &index->second.rollback : &index->second.rollout;
}

bool is_retried(const RolloutsState& rollouts, const Deployment& newest) {
  return newest.cause == Cause::kRollout &&
         retry_follows(rollouts.by_name.at(*newest.rollout), newest);
}

}  // namespace

bool retry_follows(const Rollout& rollout, const Deployment& deployment) {
  return has_ended(deployment.state) && worth_retrying(deployment) &&
         deployment.attempt_in_rollout <= rollout.plan->rules.attempt.retries;
}

void stand(RolloutsState& rollouts, const Deployment& newest) {
  const bool open = !has_ended(newest.state);
  if (open && newest.cause == Cause::kAssignment) ++rollouts.assignments_in_progress;
  Attempts* const attempts = attempts_of(rollouts, newest);
  if (attempts == nullptr) return;
  // Whether its device is here is seen when its turn has come.
  if (newest.state == DeploymentState::kQueued) attempts->here.insert(newest.number);
  if (in_flight(newest.state)) attempts->flying.insert(newest.number);
  if (newest.state != DeploymentState::kConfirmed) attempts->unproven.insert(newest.number);
  if (is_retried(rollouts, newest)) ++attempts->retried;
  if (newest.previous) ++attempts->with_previous;
}

void stand_no_more(RolloutsState& rollouts, const Deployment& newest) {
  const bool open = !has_ended(newest.state);
  if (open && newest.cause == Cause::kAssignment) --rollouts.assignments_in_progress;
  Attempts* const attempts = attempts_of(rollouts, newest);
  if (attempts == nullptr) return;
  attempts->here.erase(newest.number);
  attempts->away.erase(newest.number);
  attempts->flying.erase(newest.number);
  attempts->unproven.erase(newest.number);
  if (is_retried(rollouts, newest)) --attempts->retried;
  if (newest.previous) --attempts->with_previous;
}

void recount(RolloutsState& rollouts) {
  rollouts.assignments_in_progress = 0;
  for (auto& [name, index] : rollouts.attempts) {
    for (Attempts* attempts : {&index.rollout, &index.rollback}) {
      *attempts = Attempts{.newest = std::move(attempts->newest)};
      for (const auto& [device, number] : attempts->newest) {
        stand(rollouts, rollouts.deployments.at(number));
      }
    }
  }
  for (const uint64_t number : rollouts.in_progress) {
    const Deployment& deployment = rollouts.deployments.at(number);
    if (deployment.cause == Cause::kAssignment) stand(rollouts, deployment);
  }
}

}  // namespace covey::engine
