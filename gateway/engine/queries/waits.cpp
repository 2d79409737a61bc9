// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/queries/waits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/duration.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr size_t kNamedInWait = 10;
constexpr size_t kLookedAtMax = 1'000;  // of each set: a question must not hold up the engine

// Observed time, told as the clock on the wall would show it.
Millis on_wall(const State& state, Millis observed) {
  return state.clocks.last_now.wall + (observed - state.site.observed);
}

class Waits {
 public:
  Waits(const State& state, const Rollout& rollout) : state_(state), rollout_(rollout) {}

  std::vector<Wait> take() {
    switch (rollout_.progress.state) {
      case RolloutState::kAwaitingApproval:
        people("APPROVAL",
               fmt::format("covey rollout approve {0}, or covey rollout abort {0}", name()));
        break;
      case RolloutState::kPaused:
        people("PAUSE",
               fmt::format("covey rollout resume {0}, covey rollout rollback {0}, or covey "
                           "rollout abort {0}",
                           name()));
        break;
      case RolloutState::kRollingBack:
        attempts(index().rollback, true);
        break;
      case RolloutState::kRunning:
        stage();
        break;
      default:
        break;
    }
    return std::move(waits_);
  }

 private:
  const std::string& name() const { return rollout_.plan->name.str(); }
  const RolloutIndex& index() const { return state_.rollouts.attempts.at(rollout_.plan->name); }

  void people(const char* what, std::string advice) {
    waits_.push_back({.what = what,
                      .devices = {},
                      .explanation = rollout_.progress.explanation.empty()
                                         ? rollout_.progress.reason
                                         : rollout_.progress.explanation,
                      .advice = std::move(advice)});
  }

  void stage() {
    const std::optional<size_t> current = current_stage(rollout_.progress);
    if (!current) return;
    const StageProgress& progress = rollout_.progress.stages[*current];
    const Stage& rules = rollout_.plan->rules.stages[*current];
    const auto since = [&](Millis used) {
      return progress.since ? *progress.since - used : state_.site.observed;
    };
    switch (progress.state) {
      case StageState::kDeploying:
        attempts(index().rollout, false);
        break;
      case StageState::kSoaking: {
        const Millis began = since(progress.soak_used);
        waits_.push_back({.what = "SOAK",
                          .devices = {},
                          .since = on_wall(state_, began),
                          .until = on_wall(state_, began + rules.soak),
                          .explanation = fmt::format("stage {} soaks for {}", rules.name,
                                                     covey::to_string(rules.soak)),
                          .advice = "wait"});
        break;
      }
      case StageState::kAnalyzing: {
        const Millis began = since(progress.analysis_used);
        waits_.push_back(
            {.what = "GATES",
             .devices = {},
             .since = on_wall(state_, began),
             .until = on_wall(state_, began + rules.timeout),
             .explanation = fmt::format("the gates of stage {} have not decided", rules.name),
             .advice = "wait: at the end of that time the rollout pauses"});
        break;
      }
      default:
        break;
    }
  }

  void attempts(const Attempts& attempts, bool back) {
    for (const std::set<uint64_t>* numbers :
         {&attempts.away, &attempts.retried, &attempts.flying, &attempts.here}) {
      size_t looked_at = 0;
      for (const uint64_t number : *numbers) {
        if (++looked_at > kLookedAtMax) break;
        const Deployment& deployment = state_.rollouts.deployments.at(number);
        // A rollback ends without those that are away: their goal stands.
        if (back && !is_reachable(state_, deployment.device)) continue;
        note(deployment, attempts.retried.contains(number));
      }
      // The rest is like the last that was looked at.
      if (numbers->size() > kLookedAtMax && !waits_.empty()) {
        waits_.back().devices_total += static_cast<uint32_t>(numbers->size() - kLookedAtMax);
      }
    }
  }

  void note(const Deployment& deployment, bool retried) {
    if (retried) return note_retry(deployment);
    if (in_flight(deployment.state)) return note_flight(deployment);
    const DeviceId& device = deployment.device;
    const bool rollback = deployment.cause == Cause::kRollback;
    const Millis until = rollback ? Millis{0} : on_wall(state_, deployment.deadline);
    if (!is_online(state_, device)) {
      Millis since = last_heard(state_, state_.fleet.devices.at(device));
      add("OFFLINE", deployment, since, until, "not connected; skipped when that time is over");
    } else if (is_quarantined(state_, device)) {
      add("QUARANTINED", deployment, deployment.create_wall, until,
          "has seen a later epoch of this site and takes no goal; skipped when that time is over");
    } else if (!can_be_offered(state_, deployment)) {
      add("GOAL_FULL", deployment, deployment.create_wall, until,
          "its goal has no room beside the work for other models");
    } else if (transfers_left(state_) == 0) {
      add("LINK", deployment, deployment.create_wall, Millis{0},
          fmt::format("{} devices are downloading, as many as the link to the broker carries: a "
                      "chunk waits {}, {:.0f} leave in a second; it goes on by itself",
                      state_.rollouts.transfers.size(), covey::to_string(chunk_wait(state_)),
                      chunks_per_s(state_)));
    } else if (tellings_left(state_) == 0) {
      add("LINK", deployment, deployment.create_wall, Millis{0},
          fmt::format("{} devices have not shown yet what they were offered, {:.0f} do in a "
                      "second: more are told as fast as that; it goes on by itself",
                      state_.rollouts.telling.awaited.size(), state_.rollouts.telling.shown_per_s));
    } else {
      add("TURN", deployment, deployment.create_wall, Millis{0},
          "their turn has not come: max_in_flight and rollout.offer_rate set the pace");
    }
  }

  void note_flight(const Deployment& deployment) {
    const DeviceModel& model =
        state_.fleet.devices.at(deployment.device).models.at(deployment.release.model);
    Millis end = deployment.deadline;
    if (model.step_deadline.count() != 0) end = std::min(end, model.step_deadline);
    if (!is_online(state_, deployment.device)) {
      add("OFFLINE", deployment, last_heard(state_, state_.fleet.devices.at(deployment.device)),
          on_wall(state_, end), "not connected; the attempt ends when that time is over");
      return;
    }
    add("IN_PROGRESS", deployment, deployment.update_wall, on_wall(state_, end),
        fmt::format(
            "at {}{}; the attempt ends when that time is over", covey::to_string(deployment.state),
            was_received(state_.fleet, deployment) ? "" : ", and has not shown its goal yet"));
  }

  void note_retry(const Deployment& deployment) {
    const DeviceModel& model =
        state_.fleet.devices.at(deployment.device).models.at(deployment.release.model);
    add("RETRY", deployment, deployment.update_wall, on_wall(state_, model.retry_not_before),
        fmt::format("{} ({}): another attempt follows", covey::to_string(deployment.state),
                    deployment.reason));
  }

  // One entry for all that wait for the same: the earliest begin, the latest end.
  void add(const char* what, const Deployment& deployment, Millis since, Millis until,
           std::string explanation) {
    auto found = std::find_if(waits_.begin(), waits_.end(), [&](const Wait& wait) {
      return wait.what == what && wait.explanation == explanation;
    });
    if (found == waits_.end()) {
      const std::string& device = deployment.device.str();
      waits_.push_back(
          {.what = what,
           .devices = {},
           .since = since,
           .until = until,
           .explanation = std::move(explanation),
           .advice = fmt::format("wait; `covey rollout skip {} {}` goes on without it; `covey "
                                 "device reject {}` shuts it out",
                                 name(), device, device)});
      found = waits_.end() - 1;
    }
    if (found->devices.size() < kNamedInWait) found->devices.push_back(deployment.device);
    ++found->devices_total;
    if (since.count() != 0) found->since = std::min(found->since, since);
    found->until = std::max(found->until, until);
  }

  const State& state_;
  const Rollout& rollout_;
  std::vector<Wait> waits_;
};

}  // namespace

std::vector<Wait> waits_of(const State& state, const Rollout& rollout) {
  return Waits(state, rollout).take();
}

}  // namespace covey::engine
