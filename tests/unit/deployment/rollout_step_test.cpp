// SPDX-License-Identifier: Apache-2.0
// Every state of a rollout crossed with every event and verdict.
#include <gtest/gtest.h>

#include "deploy/rollout/rollout.hpp"

namespace covey {
namespace {

constexpr rollout::At kStepNow{.wall = 1'700'000'000'000ms, .observed = 1s};

RolloutPlan two_stages() {
  RolloutPlan r;
  r.name = RolloutName("r1");
  r.rules.release = {ModelName("bearing"), {1, 1, 0}};
  r.rules.on_fail = OnFail::kRollback;
  r.rules.stages = {{.name = "canary", .size = {.count = 1}, .timeout = 0s},
                    {.name = "fleet", .size = {.count = 3}, .timeout = 0s}};
  r.order = {DeviceId("a"), DeviceId("b"), DeviceId("c")};
  r.ends = {1, 3};
  return r;
}

RolloutProgress in_state(RolloutState state, StageState stage) {
  RolloutProgress r;
  r.state = state;
  if (state != RolloutState::kDraft) {
    r.stages = {{.state = stage}, {}};
  }
  r.reason = "WAS";
  return r;
}

rollout::Event tick(Verdict verdict, uint32_t waiting = 0, uint32_t in_flight = 0,
                    bool can_roll_back = true) {
  return rollout::Tick{{.waiting = waiting,
                        .in_flight = in_flight,
                        .can_roll_back = can_roll_back,
                        .verdict = verdict,
                        .reason = "GATE_REASON",
                        .explanation = "because"}};
}

struct RolloutRow {
  std::string name;
  rollout::Event event;
  // What RUNNING (in ANALYZING), AWAITING_APPROVAL (stage PENDING), PAUSED (stage INCONCLUSIVE),
  // ROLLING_BACK (stage FAILED) and the ended states become; "": stay; "!X": refused with reason X.
  std::string running, awaiting, paused, rolling_back, ended;
};

std::vector<RolloutRow> rollout_rows() {
  return {
      {"start", rollout::Start{}, "!ROLLOUT_NOT_RUNNING", "!ROLLOUT_NOT_RUNNING",
       "!ROLLOUT_NOT_RUNNING", "!ROLLOUT_NOT_RUNNING", "!ROLLOUT_NOT_RUNNING"},
      {"pass", tick(Verdict::kPass), "RUNNING", "", "", "", ""},
      {"fail", tick(Verdict::kFail), "ROLLING_BACK", "", "", "", ""},
      {"fail, nothing to go back to", tick(Verdict::kFail, 0, 0, false), "PAUSED", "", "", "", ""},
      {"error", tick(Verdict::kError), "PAUSED", "", "", "", ""},
      {"inconclusive", tick(Verdict::kInconclusive), "PAUSED", "", "", "", ""},
      {"rollback not over", rollout::RollbackTick{{1, 2}}, "", "", "", "", ""},
      {"rollback over", rollout::RollbackTick{{0, 0}}, "", "", "", "ROLLED_BACK", ""},
      {"rollback over but for the absent", rollout::RollbackTick{{0, 2}}, "", "", "", "ROLLED_BACK",
       ""},
      {"pause", rollout::Pause{"OPERATOR", "look"}, "PAUSED", "PAUSED", "PAUSED", "!ROLLING_BACK",
       "!ROLLOUT_ENDED"},
      {"resume", rollout::Resume{}, "!ROLLOUT_NOT_PAUSED", "!ROLLOUT_NOT_PAUSED", "RUNNING",
       "!ROLLOUT_NOT_PAUSED", "!ROLLOUT_ENDED"},
      {"approve", rollout::Approve{}, "!NOTHING_TO_APPROVE", "RUNNING", "!NOTHING_TO_APPROVE",
       "!NOTHING_TO_APPROVE", "!ROLLOUT_ENDED"},
      {"abort", rollout::Abort{false, "stop"}, "ABORTED", "ABORTED", "ABORTED", "!ROLLING_BACK",
       "!ROLLOUT_ENDED"},
      {"abort now", rollout::Abort{true, "stop"}, "ABORTED", "ABORTED", "ABORTED", "ROLLED_BACK",
       "!ROLLOUT_ENDED"},
      {"abort now, not everybody was told",
       rollout::Abort{.now = true, .explanation = "stop", .back = {.told = false}}, "ABORTED",
       "ABORTED", "ABORTED", "!ROLLBACK_BEGINS", "!ROLLOUT_ENDED"},
      {"roll back, nothing to go back to",
       rollout::RollBack{.explanation = "back", .first_models = 2, .can_roll_back = false},
       "!NO_PREVIOUS_RELEASE", "!NO_PREVIOUS_RELEASE", "!NO_PREVIOUS_RELEASE", "",
       "!ROLLOUT_ENDED"},
      {"roll back", rollout::RollBack{"back"}, "ROLLING_BACK", "ROLLING_BACK", "ROLLING_BACK", "",
       "!ROLLOUT_ENDED"},
  };
}

TEST(RolloutMatrix, EveryStateMeetsEveryEvent) {
  const auto check = [](const RolloutRow& row, RolloutState from, StageState stage,
                        const std::string& expected) {
    SCOPED_TRACE(std::string(to_string(from)) + " x " + row.name);
    const RolloutProgress before = in_state(from, stage);
    const Result<rollout::Step> step = rollout::step(two_stages(), before, row.event, kStepNow);
    if (expected.starts_with("!")) {
      ASSERT_FALSE(step.ok());
      EXPECT_EQ(step.error().reason, expected.substr(1));
      EXPECT_EQ(step.error().code, Code::kFailedPrecondition);
      return;
    }
    ASSERT_TRUE(step.ok()) << step.error().reason;
    EXPECT_EQ(to_string(step->progress.state), expected.empty() ? to_string(from) : expected);
    if (has_ended(from)) {
      EXPECT_EQ(step->progress, before) << "an ended rollout changed";
      EXPECT_TRUE(step->effects.empty());
    }
    if (step->progress.state == RolloutState::kPaused) {
      EXPECT_FALSE(step->progress.reason.empty());
    }
    if (has_ended(step->progress.state) && !has_ended(from)) {
      EXPECT_EQ(step->progress.end_wall, kStepNow.wall);
    }
  };
  for (const RolloutRow& row : rollout_rows()) {
    check(row, RolloutState::kRunning, StageState::kAnalyzing, row.running);
    check(row, RolloutState::kAwaitingApproval, StageState::kPending, row.awaiting);
    check(row, RolloutState::kPaused, StageState::kInconclusive, row.paused);
    check(row, RolloutState::kRollingBack, StageState::kFailed, row.rolling_back);
    check(row, RolloutState::kSucceeded, StageState::kPassed, row.ended);
    check(row, RolloutState::kAborted, StageState::kDeploying, row.ended);
    const bool again = std::holds_alternative<rollout::RollBack>(row.event);
    check(row, RolloutState::kRolledBack, StageState::kFailed,
          again ? "!ALREADY_ROLLED_BACK" : row.ended);
  }
}

// argo-rollouts#4479, hawkBit: a gate without evidence never opens.
TEST(RolloutMatrix, OnlyAPassInAnalysisPassesAStage) {
  for (const StageState from :
       {StageState::kPending, StageState::kDeploying, StageState::kSoaking, StageState::kAnalyzing,
        StageState::kFailed, StageState::kInconclusive}) {
    for (const Verdict verdict :
         {Verdict::kPass, Verdict::kFail, Verdict::kInconclusive, Verdict::kError}) {
      for (const uint32_t waiting : {0U, 1U}) {
        for (const uint32_t in_flight : {0U, 1U}) {
          SCOPED_TRACE(std::string(to_string(from)) + " x " + std::string(to_string(verdict)));
          const RolloutProgress before = in_state(RolloutState::kRunning, from);
          const auto step =
              rollout::step(two_stages(), before, tick(verdict, waiting, in_flight), kStepNow);
          ASSERT_TRUE(step.ok());
          const bool passed = step->progress.stages[0].state == StageState::kPassed;
          EXPECT_EQ(passed, from == StageState::kAnalyzing && verdict == Verdict::kPass);
          const bool judged = from == StageState::kDeploying || from == StageState::kSoaking ||
                              from == StageState::kAnalyzing;
          // A failure acts at once, in every state of a stage that has begun.
          if (verdict == Verdict::kFail && judged) {
            EXPECT_EQ(step->progress.state, RolloutState::kRollingBack);
            EXPECT_EQ(step->progress.reason, "GATE_REASON");
            EXPECT_EQ(step->progress.explanation, "because");
          }
          EXPECT_TRUE(step->progress.stages[1].state == StageState::kPending || passed)
              << "a stage began before the gates of the one before it passed";
        }
      }
    }
  }
}

TEST(RolloutMatrix, TextIsStable) {
  for (const char* text : {"DRAFT", "AWAITING_APPROVAL", "RUNNING", "PAUSED", "ROLLING_BACK",
                           "SUCCEEDED", "ABORTED", "ROLLED_BACK"}) {
    ASSERT_TRUE(parse_rollout_state(text).has_value()) << text;
    EXPECT_EQ(to_string(*parse_rollout_state(text)), text);
  }
  for (const char* text :
       {"PENDING", "DEPLOYING", "SOAKING", "ANALYZING", "PASSED", "FAILED", "INCONCLUSIVE"}) {
    ASSERT_TRUE(parse_stage_state(text).has_value()) << text;
    EXPECT_EQ(to_string(*parse_stage_state(text)), text);
  }
  EXPECT_FALSE(parse_rollout_state("3").has_value());
  EXPECT_FALSE(parse_stage_state("passed").has_value());
}

}  // namespace
}  // namespace covey
