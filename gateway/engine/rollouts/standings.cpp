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

bool is_proven(const Deployment& deployment) {
  return deployment.state == DeploymentState::kConfirmed || deployment.late_confirmed;
}

bool is_first_model(const Deployment& deployment) {
  return deployment.cause == Cause::kRollout && is_proven(deployment) && !deployment.previous;
}

bool is_transfer(const Deployment& deployment) {
  return deployment.state == DeploymentState::kOffered ||
         deployment.state == DeploymentState::kDownloading;
}

}  // namespace

bool retry_follows(const Rollout& rollout, const Deployment& deployment) {
  if (!has_ended(deployment.state)) return false;
  if (deployment.cause == Cause::kRollback) {
    // Whatever the reason: what a device had before must be possible again. The rollout does not
    // wait for ever, though; what is desired of the device stands after it, too.
    return deployment.state != DeploymentState::kCanceled && !is_proven(deployment) &&
           deployment.attempt_in_rollout < kRollbackAttemptsMax;
  }
  return worth_retrying(deployment) &&
         deployment.attempt_in_rollout <= rollout.plan->rules.attempt.retries;
}

void stand(RolloutsState& rollouts, const Deployment& newest) {
  const bool open = !has_ended(newest.state);
  if (open && newest.cause == Cause::kAssignment) ++rollouts.assignments_in_progress;
  if (is_transfer(newest)) rollouts.transfers.insert(newest.number);
  Attempts* const attempts = attempts_of(rollouts, newest);
  if (attempts == nullptr) return;
  // Whether its device is here is seen when its turn has come.
  if (newest.state == DeploymentState::kQueued) attempts->here.insert(newest.number);
  if (in_flight(newest.state)) attempts->flying.insert(newest.number);
  const bool retried = retry_follows(rollouts.by_name.at(*newest.rollout), newest);
  if (retried) attempts->retried.insert(newest.number);
  if (open || retried) attempts->awaited.insert(newest.number);
  if (has_left(newest)) {
    ++attempts->left;
  } else if (!is_proven(newest)) {
    attempts->unproven.insert(newest.number);
  }
  if (newest.previous) ++attempts->with_previous;
  if (is_first_model(newest)) ++attempts->first_models;
}

void stand_no_more(RolloutsState& rollouts, const Deployment& newest) {
  const bool open = !has_ended(newest.state);
  if (open && newest.cause == Cause::kAssignment) --rollouts.assignments_in_progress;
  rollouts.transfers.erase(newest.number);
  Attempts* const attempts = attempts_of(rollouts, newest);
  if (attempts == nullptr) return;
  attempts->here.erase(newest.number);
  attempts->away.erase(newest.number);
  attempts->flying.erase(newest.number);
  attempts->unproven.erase(newest.number);
  attempts->retried.erase(newest.number);
  attempts->awaited.erase(newest.number);
  if (has_left(newest)) --attempts->left;
  if (newest.previous) --attempts->with_previous;
  if (is_first_model(newest)) --attempts->first_models;
}

void recount(RolloutsState& rollouts) {
  rollouts.assignments_in_progress = 0;
  rollouts.transfers.clear();
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
    if (is_transfer(deployment)) rollouts.transfers.insert(number);
  }
}

}  // namespace covey::engine
