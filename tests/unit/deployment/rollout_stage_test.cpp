// SPDX-License-Identifier: Apache-2.0
// One rollout's way through its stages: start, soak in observed time, approval, pauses, failures.
#include <gtest/gtest.h>

#include "deploy/rollout/rollout.hpp"

namespace covey {
namespace {

RolloutPlan draft() {
  RolloutPlan r;
  r.name = RolloutName("r1");
  r.rules.release = {ModelName("bearing"), {1, 1, 0}};
  r.rules.stages = {
      {.name = "canary", .size = {.count = 1}, .soak = 10s, .timeout = 30s},
      {.name = "fleet", .size = {.count = 3}, .approval_required = true, .timeout = 30s}};
  r.order = {DeviceId("a"), DeviceId("b"), DeviceId("c")};
  r.ends = {1, 3};
  return r;
}

class Course {
 public:
  explicit Course(RolloutPlan plan) : plan_(std::move(plan)) {}

  std::string apply(const rollout::Event& event) {
    Result<rollout::Step> step = rollout::step(plan_, rollout_, event, now_);
    if (!step) return step.error().reason;
    changed_ = !(rollout_ == step->progress);
    rollout_ = step->progress;
    effects_ = step->effects;
    return "";
  }
  // "RUNNING canary=SOAKING fleet=PENDING"
  std::string now() const {
    std::string text(to_string(rollout_.state));
    for (size_t i = 0; i < rollout_.stages.size(); ++i) {
      text +=
          " " + plan_.rules.stages[i].name + "=" + std::string(to_string(rollout_.stages[i].state));
    }
    return text;
  }
  std::string tick(Verdict verdict, Millis observed = 1s, uint32_t waiting = 0,
                   bool can_roll_back = true) {
    now_.observed += observed;
    apply(rollout::Tick{{.waiting = waiting,
                         .can_roll_back = can_roll_back,
                         .verdict = verdict,
                         .reason = "TOO_MANY_FAILURES",
                         .explanation = "1 of 1 failed"}});
    return now();
  }
  RolloutProgress& rollout() { return rollout_; }
  Millis soaked() const { return covey::soaked(rollout_.stages[0], now_.observed); }
  bool changed() const { return changed_; }
  template <typename Effect>
  size_t count() const {
    size_t n = 0;
    for (const auto& effect : effects_) n += std::holds_alternative<Effect>(effect) ? 1 : 0;
    return n;
  }

 private:
  RolloutPlan plan_;
  RolloutProgress rollout_;
  rollout::At now_{.wall = 1'700'000'000'000ms, .observed = 5min};
  bool changed_ = false;
  std::vector<rollout::Effect> effects_;
};

TEST(Stages, AFirstRolloutFromStartToSuccess) {
  Course c(draft());
  c.apply(rollout::Start{});
  EXPECT_EQ(c.now(), "RUNNING canary=DEPLOYING fleet=PENDING");
  EXPECT_EQ(c.count<rollout::StageStarted>(), 1U);
  EXPECT_EQ(c.tick(Verdict::kPass, 1s, 1), "RUNNING canary=DEPLOYING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass), "RUNNING canary=SOAKING fleet=PENDING");
  // A pass during the soak is no reason to hurry; time that was not observed does not count.
  EXPECT_EQ(c.tick(Verdict::kPass, 0s), "RUNNING canary=SOAKING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass, 9s), "RUNNING canary=SOAKING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass, 1s), "RUNNING canary=ANALYZING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass), "AWAITING_APPROVAL canary=PASSED fleet=PENDING");
  EXPECT_EQ(c.rollout().reason, "STAGE_NEEDS_APPROVAL");
  EXPECT_EQ(c.tick(Verdict::kPass), "AWAITING_APPROVAL canary=PASSED fleet=PENDING");
  EXPECT_EQ(c.apply(rollout::Approve{"bob"}), "");
  EXPECT_EQ(c.rollout().stages[1].approver, "bob");
  EXPECT_EQ(c.rollout().stages[0].approver, "");
  EXPECT_EQ(c.now(), "RUNNING canary=PASSED fleet=DEPLOYING");
  EXPECT_EQ(c.apply(rollout::Approve{}), "NOTHING_TO_APPROVE");
  c.tick(Verdict::kPass);
  c.tick(Verdict::kPass);
  EXPECT_EQ(c.tick(Verdict::kPass), "SUCCEEDED canary=PASSED fleet=PASSED");
  EXPECT_EQ(c.count<rollout::RolloutEnded>(), 1U);
}

TEST(Stages, NothingToDoIsASuccess) {
  RolloutPlan empty = draft();
  empty.order.clear();
  empty.ends = {0, 0};
  Course c(empty);
  c.apply(rollout::Start{});
  EXPECT_EQ(c.rollout().state, RolloutState::kSucceeded);
  EXPECT_EQ(c.rollout().reason, "NOTHING_TO_DO");
  RolloutPlan held = draft();
  held.holdback = 3;
  Course all_held(held);
  all_held.apply(rollout::Start{});
  EXPECT_EQ(all_held.rollout().reason, "NOTHING_TO_DO");
}

Course analyzing(OnFail on_fail = OnFail::kRollback) {
  RolloutPlan r = draft();
  r.rules.on_fail = on_fail;
  Course c(r);
  c.apply(rollout::Start{});
  c.tick(Verdict::kPass);
  c.tick(Verdict::kPass, 10s);
  return c;
}

// flagger and Argo end or go on here; an operator wants to be asked.
TEST(Stages, NoEvidenceUntilTheTimeoutPausesAndNeverPasses) {
  Course c = analyzing();
  EXPECT_EQ(c.tick(Verdict::kInconclusive, 29s), "RUNNING canary=ANALYZING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kInconclusive, 1s), "PAUSED canary=INCONCLUSIVE fleet=PENDING");
  EXPECT_EQ(c.rollout().reason, "GATE_INCONCLUSIVE");
  EXPECT_EQ(c.tick(Verdict::kPass), "PAUSED canary=INCONCLUSIVE fleet=PENDING");
  // Resumed: a whole timeout again.
  EXPECT_EQ(c.apply(rollout::Resume{}), "");
  EXPECT_EQ(c.tick(Verdict::kInconclusive, 29s), "RUNNING canary=ANALYZING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass), "AWAITING_APPROVAL canary=PASSED fleet=PENDING");
}

TEST(Stages, AGateThatErrsPausesAtOnce) {
  Course c = analyzing();
  EXPECT_EQ(c.tick(Verdict::kError), "PAUSED canary=INCONCLUSIVE fleet=PENDING");
  EXPECT_EQ(c.rollout().reason, "GATE_ERROR");
}

TEST(Stages, FailureRollsBackCancelsAndSaysWhy) {
  Course c = analyzing();
  EXPECT_EQ(c.tick(Verdict::kFail), "ROLLING_BACK canary=FAILED fleet=PENDING");
  EXPECT_EQ(c.count<rollout::CancelInProgress>(), 1U);
  EXPECT_EQ(c.count<rollout::RollbackStarted>(), 1U);
  EXPECT_EQ(c.apply(rollout::Abort{}), "ROLLING_BACK");
  EXPECT_EQ(c.apply(rollout::Pause{"OPERATOR", ""}), "ROLLING_BACK");
  c.apply(rollout::RollbackTick{{.awaited = 0, .outstanding = 2}});
  EXPECT_EQ(c.rollout().state, RolloutState::kRolledBack);
  EXPECT_EQ(c.rollout().reason, "TOO_MANY_FAILURES") << "the cause is what people ask for";
  EXPECT_EQ(c.rollout().explanation,
            "1 of 1 failed; 0 of 2 devices are back, 2 outstanding: their goal stands");
}

TEST(Stages, OnFailPauseLeavesDevicesAsTheyAre) {
  Course c = analyzing(OnFail::kPause);
  EXPECT_EQ(c.tick(Verdict::kFail), "PAUSED canary=FAILED fleet=PENDING");
  EXPECT_EQ(c.rollout().reason, "GATE_FAILED");
  EXPECT_EQ(c.count<rollout::CancelInProgress>(), 0U);
  EXPECT_EQ(c.apply(rollout::RollBack{"enough"}), "");
  EXPECT_EQ(c.now(), "ROLLING_BACK canary=FAILED fleet=PENDING");
  EXPECT_EQ(c.count<rollout::RollbackStarted>(), 1U);
}

TEST(Stages, WithoutAPreviousReleaseAFailurePauses) {
  Course c = analyzing();
  EXPECT_EQ(c.tick(Verdict::kFail, 1s, 0, false), "PAUSED canary=FAILED fleet=PENDING");
  EXPECT_EQ(c.rollout().reason, "NO_PREVIOUS_RELEASE");
}

TEST(Stages, PauseKeepsTheStageAndTheSoakThatWasUsed) {
  Course c(draft());
  c.apply(rollout::Start{});
  c.tick(Verdict::kPass);
  c.tick(Verdict::kPass, 6s);
  EXPECT_EQ(c.apply(rollout::Pause{"OPERATOR", "lunch"}), "");
  EXPECT_FALSE(offers(c.rollout()));
  EXPECT_EQ(c.tick(Verdict::kPass, 100s), "PAUSED canary=SOAKING fleet=PENDING");
  EXPECT_EQ(c.apply(rollout::Pause{"OPERATOR", "again"}), "");
  EXPECT_EQ(c.rollout().explanation, "lunch") << "a repeated pause changes nothing";
  EXPECT_EQ(c.apply(rollout::Resume{}), "");
  EXPECT_EQ(c.rollout().reason, "");
  EXPECT_EQ(c.tick(Verdict::kPass, 3s), "RUNNING canary=SOAKING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass, 1s), "RUNNING canary=ANALYZING fleet=PENDING");
}

TEST(Stages, APausedApprovalIsAskedForAgain) {
  Course c = analyzing();
  c.tick(Verdict::kPass);
  ASSERT_EQ(c.rollout().state, RolloutState::kAwaitingApproval);
  c.apply(rollout::Pause{"OPERATOR", ""});
  c.apply(rollout::Resume{});
  EXPECT_EQ(c.tick(Verdict::kPass), "AWAITING_APPROVAL canary=PASSED fleet=PENDING")
      << "resume is not an approval";
}

// What passes changes nothing: no row is written, and nobody is told.
TEST(Stages, TimeThatPassesChangesNothing) {
  Course c(draft());
  c.apply(rollout::Start{});
  c.tick(Verdict::kPass);
  EXPECT_TRUE(c.changed());
  for (int second = 1; second < 10; ++second) {
    c.tick(Verdict::kPass, 1s);
    EXPECT_FALSE(c.changed());
    EXPECT_EQ(c.soaked(), second * 1s);
  }
  c.tick(Verdict::kInconclusive, 1s);
  EXPECT_EQ(c.now(), "RUNNING canary=ANALYZING fleet=PENDING");
  c.tick(Verdict::kInconclusive, 29s);
  EXPECT_FALSE(c.changed());
}

// As it was stored before there was a mark: the time goes on.
TEST(Stages, ASoakWithoutAMarkGoesOn) {
  Course c(draft());
  c.apply(rollout::Start{});
  c.tick(Verdict::kPass);
  c.rollout().stages[0].since.reset();
  c.rollout().stages[0].soak_used = 6s;
  c.tick(Verdict::kPass, 1h);
  EXPECT_EQ(c.tick(Verdict::kPass, 3s), "RUNNING canary=SOAKING fleet=PENDING");
  EXPECT_EQ(c.tick(Verdict::kPass, 1s), "RUNNING canary=ANALYZING fleet=PENDING");
}

// Paused in the middle of deploying: whoever was not offered the release yet still must be.
TEST(Stages, ResumeAfterAFailureWhileDeployingGoesOnDeploying) {
  RolloutPlan r = draft();
  r.rules.on_fail = OnFail::kPause;
  Course c(r);
  c.apply(rollout::Start{});
  EXPECT_EQ(c.tick(Verdict::kFail, 1s, 1), "PAUSED canary=FAILED fleet=PENDING");
  c.apply(rollout::Resume{});
  EXPECT_EQ(c.now(), "RUNNING canary=DEPLOYING fleet=PENDING");
  EXPECT_TRUE(offers(c.rollout()));
}

TEST(Stages, AbortLeavesAttemptsAloneUnlessNow) {
  Course gentle(draft());
  gentle.apply(rollout::Start{});
  gentle.apply(rollout::Abort{false, "stop"});
  EXPECT_EQ(gentle.rollout().state, RolloutState::kAborted);
  EXPECT_EQ(gentle.rollout().reason, "OPERATOR");
  EXPECT_EQ(gentle.count<rollout::CancelInProgress>(), 0U);
  Course hard(draft());
  hard.apply(rollout::Start{});
  hard.apply(rollout::Abort{true, "stop"});
  EXPECT_EQ(hard.count<rollout::CancelInProgress>(), 1U);
}

}  // namespace
}  // namespace covey
