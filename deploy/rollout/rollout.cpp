// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/rollout.hpp"

#include <utility>

#include <fmt/format.h>

#include "core/assert.hpp"
#include "core/duration.hpp"
#include "deploy/rollout/rollout_text.hpp"

namespace covey {
std::shared_ptr<const RolloutPlan> without_devices(const RolloutPlan& plan) {
  return std::make_shared<const RolloutPlan>(RolloutPlan{.name = plan.name,
                                                         .document = plan.document,
                                                         .rules = plan.rules,
                                                         .order = {},
                                                         .ends = plan.ends,
                                                         .holdback = plan.holdback,
                                                         .excluded = {},
                                                         .creator = plan.creator,
                                                         .create_wall = plan.create_wall});
}

std::optional<size_t> current_stage(const RolloutProgress& progress) {
  for (size_t i = 0; i < progress.stages.size(); ++i) {
    if (progress.stages[i].state != StageState::kPassed) return i;
  }
  return std::nullopt;
}

bool offers(const RolloutProgress& progress) {
  if (progress.state != RolloutState::kRunning) return false;
  const std::optional<size_t> stage = current_stage(progress);
  return stage && progress.stages[*stage].state == StageState::kDeploying;
}

Millis soaked(const StageProgress& stage, Millis observed) {
  const bool runs = stage.state == StageState::kSoaking && stage.since;
  return stage.soak_used + (runs ? observed - *stage.since : Millis{0});
}

namespace rollout {
namespace {

class Stepper {
 public:
  Stepper(const RolloutPlan& plan, RolloutProgress progress, At now)
      : plan_(plan), step_{std::move(progress), {}}, now_(now) {}

  Status operator()(const Start&) {
    if (r().state != RolloutState::kDraft) return not_running();
    if (plan_.order.size() <= plan_.holdback) {
      happened("ROLLOUT_STARTED", plan_.name.str(), "no device needs the release");
      r().stages.assign(plan_.rules.stages.size(), StageProgress{.state = StageState::kPassed});
      end(RolloutState::kSucceeded, "NOTHING_TO_DO", nothing_to_do_text(plan_));
      return {};
    }
    r().stages.assign(plan_.rules.stages.size(), StageProgress{});
    r().state = RolloutState::kRunning;
    happened("ROLLOUT_STARTED", plan_.name.str(),
             fmt::format("{} to {} devices", to_string(plan_.rules.release),
                         plan_.order.size() - plan_.holdback));
    enter_stage(0);
    return {};
  }

  Status operator()(const Tick& tick) {
    if (r().state != RolloutState::kRunning) return {};
    const std::optional<size_t> index = current_stage(r());
    if (!index) return {};
    StageProgress& stage = r().stages[*index];
    const Stage& rules = plan_.rules.stages[*index];
    switch (stage.state) {
      case StageState::kPending:
        enter_stage(*index);
        return {};
      case StageState::kDeploying:
        if (tick.facts.verdict == Verdict::kFail) return fail(*index, tick.facts);
        if (tick.facts.waiting + tick.facts.in_flight > 0) return {};
        move(stage, *index, StageState::kSoaking, "every device has answered");
        return {};
      case StageState::kSoaking:
        run_clock(stage);
        if (tick.facts.verdict == Verdict::kFail) return fail(*index, tick.facts);
        if (soaked(stage, now_.observed) < rules.soak) return {};
        stage.analysis_used = Millis{0};
        move(stage, *index, StageState::kAnalyzing, "soaked for " + to_string(rules.soak));
        return {};
      case StageState::kAnalyzing:
        run_clock(stage);
        return analyze(*index, tick.facts);
      case StageState::kPassed:
      case StageState::kFailed:
      case StageState::kInconclusive:
        return {};
    }
    return {};
  }

  Status operator()(const RollbackTick& tick) {
    if (r().state != RolloutState::kRollingBack) return {};
    if (!tick.facts.told || tick.facts.awaited > 0) return {};
    end_rollback(tick.facts, "");
    return {};
  }

  Status operator()(const Pause& event) {
    if (const Status refused = refuse_ended(); !refused) return refused;
    if (r().state == RolloutState::kRollingBack) return rolling_back();
    if (r().state == RolloutState::kPaused && r().reason == event.reason) return {};
    pause(event.reason, event.explanation);
    return {};
  }

  Status operator()(const Resume&) {
    if (const Status refused = refuse_ended(); !refused) return refused;
    if (r().state != RolloutState::kPaused) {
      return precondition("ROLLOUT_NOT_PAUSED",
                          fmt::format("rollout {} is {}, only a PAUSED one can be resumed",
                                      plan_.name.str(), to_string(r().state)));
    }
    happened("ROLLOUT_RESUMED", plan_.name.str(), "was paused: " + r().reason);
    r().state = RolloutState::kRunning;
    r().reason.clear();
    r().explanation.clear();
    if (const std::optional<size_t> index = current_stage(r())) {
      StageProgress& stage = r().stages[*index];
      // A new chance for the evidence, from the beginning of the analysis. A failure may have come
      // while devices waited: they are offered the release first; the soak that was used stays.
      if (stage.state == StageState::kInconclusive) {
        stage.analysis_used = Millis{0};
        move(stage, *index, StageState::kAnalyzing, "resumed by an operator");
      } else if (stage.state == StageState::kFailed) {
        stage.end_wall = Millis{0};
        move(stage, *index, StageState::kDeploying, "resumed by an operator");
      } else {
        run_clock(stage);
      }
    }
    return {};
  }

  Status operator()(const Approve& approve) {
    if (const Status refused = refuse_ended(); !refused) return refused;
    const std::optional<size_t> index = current_stage(r());
    if (r().state != RolloutState::kAwaitingApproval || !index) {
      return precondition("NOTHING_TO_APPROVE",
                          fmt::format("rollout {} is {}, no stage waits for an approval",
                                      plan_.name.str(), to_string(r().state)));
    }
    r().stages[*index].approved = true;
    r().stages[*index].approver = approve.by;
    r().state = RolloutState::kRunning;
    r().reason.clear();
    r().explanation.clear();
    happened("STAGE_APPROVED", plan_.rules.stages[*index].name,
             approve.by.empty() ? "" : "by " + approve.by);
    enter_stage(*index);
    return {};
  }

  Status operator()(const Abort& event) {
    if (const Status refused = refuse_ended(); !refused) return refused;
    if (r().state == RolloutState::kRollingBack) return abort_rollback(event);
    happened("ROLLOUT_ABORTED", plan_.name.str(), event.explanation);
    if (event.now) step_.effects.emplace_back(CancelInProgress{"ABORTED"});
    std::string text = event.explanation;
    if (event.stage.confirmed > 0) {
      say(text, fmt::format("{} run {} and keep it", devices(event.stage.confirmed),
                            to_string(plan_.rules.release)));
    }
    if (event.stage.in_flight > 0) {
      say(text, fmt::format("{} were at it and {}", event.stage.in_flight,
                            event.now ? "are called back" : "finish"));
    }
    end(RolloutState::kAborted, "OPERATOR", text);
    return {};
  }

  Status operator()(const RollBack& event) {
    if (r().state == RolloutState::kRolledBack) {
      return precondition("ALREADY_ROLLED_BACK",
                          fmt::format("rollout {} is rolled back already", plan_.name.str()));
    }
    if (has_ended(r().state) && !event.window_open) {
      return precondition(
          "ROLLOUT_ENDED",
          fmt::format("rollout {} has ended ({}) and its rollback window is closed: "
                      "roll out the older release",
                      plan_.name.str(), to_string(r().state)));
    }
    if (r().state == RolloutState::kRollingBack) return {};
    if (!event.can_roll_back && event.first_models > 0) {
      return precondition(
          "NO_PREVIOUS_RELEASE",
          fmt::format(
              "{} run {} and had no release before it: there is nothing to go back to; roll "
              "out another release, or `covey rollout abort {}` to stop here",
              devices(event.first_models), to_string(plan_.rules.release), plan_.name.str()));
    }
    r().end_wall = Millis{0};
    start_rollback("OPERATOR", event.explanation);
    return {};
  }

  Step take() { return std::move(step_); }

 private:
  RolloutProgress& r() { return step_.progress; }

  void happened(std::string kind, std::string subject, std::string text) {
    step_.effects.emplace_back(Happened{std::move(kind), std::move(subject), std::move(text)});
  }

  // Soak and analysis take time only while the rollout runs.
  void run_clock(StageProgress& stage) {
    const bool takes_time =
        stage.state == StageState::kSoaking || stage.state == StageState::kAnalyzing;
    if (takes_time && !stage.since) stage.since = now_.observed;
  }
  void stop_clock(StageProgress& stage) {
    if (!stage.since) return;
    Millis& used = stage.state == StageState::kSoaking ? stage.soak_used : stage.analysis_used;
    used += now_.observed - *stage.since;
    stage.since.reset();
  }
  void stop_clock() {
    if (const std::optional<size_t> index = current_stage(r())) stop_clock(r().stages[*index]);
  }

  void move(StageProgress& stage, size_t index, StageState to, const std::string& why) {
    stop_clock(stage);
    stage.state = to;
    run_clock(stage);
    if (to == StageState::kPassed || to == StageState::kFailed) stage.end_wall = now_.wall;
    happened(fmt::format("STAGE_{}", to_string(to)), plan_.rules.stages[index].name, why);
  }

  void enter_stage(size_t index) {
    StageProgress& stage = r().stages[index];
    if (plan_.rules.stages[index].approval_required && !stage.approved) {
      r().state = RolloutState::kAwaitingApproval;
      r().reason = "STAGE_NEEDS_APPROVAL";
      r().explanation =
          fmt::format("stage {} waits for an approval", plan_.rules.stages[index].name);
      happened("AWAITING_APPROVAL", plan_.rules.stages[index].name, "");
      return;
    }
    stage.start_wall = now_.wall;
    move(stage, index, StageState::kDeploying, fmt::format("{} devices in all", plan_.ends[index]));
    step_.effects.emplace_back(StageStarted{index});
  }

  Millis analysed(const StageProgress& stage) const {
    return stage.analysis_used + (stage.since ? now_.observed - *stage.since : Millis{0});
  }
  Status analyze(size_t index, const StageFacts& facts) {
    StageProgress& stage = r().stages[index];
    switch (facts.verdict) {
      case Verdict::kFail:
        return fail(index, facts);
      case Verdict::kError:
        move(stage, index, StageState::kInconclusive, facts.explanation);
        pause("GATE_ERROR", facts.explanation);
        return {};
      case Verdict::kInconclusive:
        // More evidence may come, until the plan says that it takes too long.
        if (analysed(stage) < plan_.rules.stages[index].timeout) return {};
        move(stage, index, StageState::kInconclusive, facts.explanation);
        pause("GATE_INCONCLUSIVE", facts.explanation);
        return {};
      case Verdict::kPass:
        move(stage, index, StageState::kPassed, facts.explanation);
        if (index + 1 < r().stages.size()) {
          enter_stage(index + 1);
        } else {
          end(RolloutState::kSucceeded, "", success_text(plan_, facts));
        }
        return {};
    }
    return {};
  }

  Status fail(size_t index, const StageFacts& facts) {
    move(r().stages[index], index, StageState::kFailed, facts.explanation);
    switch (plan_.rules.on_fail) {
      case OnFail::kRollback:
        if (facts.can_roll_back) {
          start_rollback(facts.reason, facts.explanation);
        } else {
          pause("NO_PREVIOUS_RELEASE", facts.explanation + "; no device had a release before");
        }
        break;
      case OnFail::kPause:
        pause("GATE_FAILED", facts.explanation);
        break;
    }
    return {};
  }

  void start_rollback(std::string reason, std::string explanation) {
    stop_clock();
    r().state = RolloutState::kRollingBack;
    r().reason = std::move(reason);
    r().explanation = std::move(explanation);
    happened("ROLLBACK_STARTED", plan_.name.str(), r().explanation);
    step_.effects.emplace_back(CancelInProgress{"ROLLBACK"});
    step_.effects.emplace_back(RollbackStarted{});
  }

  Status abort_rollback(const Abort& event) {
    if (!event.now) {
      return precondition(
          "ROLLING_BACK",
          fmt::format(
              "rollout {} is rolling back: with --now it ends here, and who is not back yet "
              "is not waited for",
              plan_.name.str()));
    }
    if (!event.back.told) {
      return precondition(
          "ROLLBACK_BEGINS",
          fmt::format("rollout {} is still telling devices to go back: try again in "
                      "a moment",
                      plan_.name.str()));
    }
    std::string why = "an operator did not wait for the rest";
    if (!event.explanation.empty()) why += " (" + event.explanation + ")";
    end_rollback(event.back, why);
    return {};
  }

  void end_rollback(const RollbackFacts& facts, const std::string& why) {
    std::string text = rollback_text(plan_, facts);
    say(text, why);
    happened("ROLLBACK_ENDED", plan_.name.str(), text);
    // The reason for the rollback stays: it is what people ask for.
    std::string explanation = r().explanation;
    say(explanation, text);
    end(RolloutState::kRolledBack, r().reason, explanation);
  }

  void pause(std::string reason, std::string explanation) {
    stop_clock();
    r().state = RolloutState::kPaused;
    r().reason = std::move(reason);
    r().explanation = std::move(explanation);
    happened("ROLLOUT_PAUSED", r().reason, r().explanation);
  }

  void end(RolloutState state, std::string reason, std::string explanation) {
    stop_clock();
    r().state = state;
    r().reason = std::move(reason);
    r().explanation = std::move(explanation);
    r().end_wall = now_.wall;
    r().end_observed = now_.observed;
    happened(fmt::format("ROLLOUT_{}", to_string(state)), plan_.name.str(), r().reason);
    step_.effects.emplace_back(RolloutEnded{state});
  }

  Status refuse_ended() {
    if (!has_ended(r().state)) return {};
    return precondition("ROLLOUT_ENDED", fmt::format("rollout {} has ended ({}): create a new one",
                                                     plan_.name.str(), to_string(r().state)));
  }
  Status not_running() {
    return precondition("ROLLOUT_NOT_RUNNING",
                        "rollout " + plan_.name.str() + " was started before");
  }
  Status rolling_back() {
    return precondition("ROLLING_BACK",
                        fmt::format("rollout {} is rolling back: wait until it is ROLLED_BACK, or "
                                    "`covey rollout abort {} --now`",
                                    plan_.name.str(), plan_.name.str()));
  }

  const RolloutPlan& plan_;
  Step step_;
  At now_;
};

}  // namespace

Result<Step> step(const RolloutPlan& plan, RolloutProgress progress, const Event& event, At now) {
  Stepper stepper(plan, std::move(progress), now);
  if (Status done = std::visit(stepper, event); !done) return done.error();
  return stepper.take();
}

}  // namespace rollout
}  // namespace covey
