// SPDX-License-Identifier: Apache-2.0
// Going back: every device ever offered the release, whatever became of the attempt.
#include <gtest/gtest.h>

#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

class Rollback : public FleetTest {
 protected:
  void start(int devices, uint32_t retries = 0) {
    make(devices);
    PlanDocument plan = simple_plan("r", "1.1.0");
    plan.stages[0].soak = "1h";
    plan.gates = {failures_gate("100%")};
    plan.attempt.retries = retries;
    plan.attempt.backoff = "10s";
    plan.attempt.deadline = "60s";
    ASSERT_TRUE(site.roll_out(plan).ok());
    site.pass(500ms);
  }
  void roll_back() {
    ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("r"), "no good"}).ok());
    site.pass(500ms);
  }
  const engine::ModelGoal& goal(const std::string& id) { return site.goal(id)->models.at(0); }
};

TEST_F(Rollback, ReachesDevicesInEveryStateOfTheirAttempt) {
  start(9);
  const std::vector<std::string> phases{"",         "DOWNLOADING", "VERIFYING",
                                        "STAGED",   "PROBATION",   "PROBATION_OK",
                                        "DECLINED", "FAILED",      "REVERTED"};
  for (size_t i = 0; i < phases.size(); ++i) {
    if (!phases[i].empty()) site.say("d" + std::to_string(i), phases[i], "WATCHDOG");
  }
  roll_back();
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRollingBack);
  for (size_t i = 0; i < phases.size(); ++i) {
    const std::string id = "d" + std::to_string(i);
    SCOPED_TRACE(id + " was " + phases[i]);
    EXPECT_EQ(site.newest(id).cause, Cause::kRollback);
    EXPECT_EQ(goal(id).candidate, site.manifest({1, 0, 0}));
    site.obey(id);
  }
  site.pass(500ms);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRolledBack);
  site.pass(60s);
  for (size_t i = 0; i < phases.size(); ++i) {
    const std::string id = "d" + std::to_string(i);
    EXPECT_EQ(site.attempts(id), 2U) << "somebody touched " << id << " again";
  }
  site.check_reload();
}

TEST_F(Rollback, ConfirmedDevicesGoBackToWhatTheyHad) {
  start(2);
  site.obey("d0");
  site.obey("d1");
  roll_back();
  site.obey_all();
  site.pass(500ms);
  EXPECT_EQ(site.rollout_text("r"), "ROLLED_BACK(OPERATOR) all=DEPLOYING");
  for (const char* id : {"d0", "d1"}) {
    EXPECT_EQ(site.device(id).model.confirmed, site.manifest({1, 0, 0}));
  }
}

TEST_F(Rollback, AFailedRollbackIsTriedAgain) {
  start(1);
  site.obey("d0");
  roll_back();
  site.say("d0", "FAILED", "FLASH_WRITE");
  site.pass(500ms);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRollingBack);
  site.pass(31s);
  site.status("d0");
  EXPECT_EQ(site.newest("d0").cause, Cause::kRollback);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kOffered);
  site.obey("d0");
  site.pass(500ms);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRolledBack);
}

TEST_F(Rollback, EndsWithThoseOutstandingWhoseGoalStands) {
  start(3);
  for (const char* id : {"d0", "d1", "d2"}) site.obey(id);
  site.leave("d2");
  roll_back();
  site.obey("d0");
  site.obey("d1");
  site.pass(500ms);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRolledBack);
  const auto events = site.events("r");
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const EventRecord& e) {
    return e.kind == "ROLLBACK_ENDED" &&
           e.text == "2 of 3 devices are back, 1 outstanding: their goal stands";
  }));
  // Days later it comes back, and is brought back.
  site.pass(100s, 1s);
  site.restart();
  site.hello("d2");
  site.pass(1s);
  ASSERT_TRUE(in_flight(site.newest("d2").state)) << "its rollback was forgotten";
  EXPECT_EQ(goal("d2").candidate, site.manifest({1, 0, 0}));
  site.obey("d2");
  EXPECT_EQ(site.newest("d2").state, DeploymentState::kConfirmed);
  site.check_reload();
}

TEST_F(Rollback, ADeviceBetweenTwoAttemptsIsNotForgotten) {
  start(2, 1);
  site.say("d0", "PROBATION");
  site.pass(61s, 1s);  // its first attempt timed out
  site.hello("d0");
  ASSERT_EQ(site.newest("d0").attempt_in_rollout, 1U);
  ASSERT_TRUE(site.command(engine::PauseRollout{RolloutName("r"), ""}).ok());
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  site.leave("d0");
  site.pass(11s);  // queued again, not offered: it is away
  ASSERT_EQ(site.newest("d0").state, DeploymentState::kQueued);
  ASSERT_EQ(site.newest("d0").attempt_in_rollout, 2U);
  // What it did while away: it confirmed the first attempt.
  site.device("d0").model.phase = "CONFIRMED";
  site.device("d0").model.confirmed = site.manifest({1, 1, 0});
  site.device("d0").model.active = site.manifest({1, 1, 0});
  roll_back();
  site.hello("d0");
  site.pass(1s);
  EXPECT_EQ(site.newest("d0").cause, Cause::kRollback);
  EXPECT_EQ(goal("d0").candidate, site.manifest({1, 0, 0}));
}

TEST_F(Rollback, AProofThatComesTooLateIsRecordedAndReconciled) {
  start(1);
  site.say("d0", "PROBATION_OK");
  site.pass(61s, 1s);
  ASSERT_EQ(site.newest("d0").state, DeploymentState::kTimedOut);
  Played& d = site.device("d0");
  d.model.phase = "CONFIRMED";
  d.model.confirmed = d.model.candidate;
  d.model.active = d.model.candidate;
  site.status("d0");
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kTimedOut);
  EXPECT_TRUE(site.newest("d0").late_confirmed);
  roll_back();
  EXPECT_EQ(goal("d0").candidate, site.manifest({1, 0, 0}));
}

TEST_F(Rollback, AFirstModelHasNothingToGoBackTo) {
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 2);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.attempt.retries = 0;
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.say("d0", "FAILED", "SELFTEST_MISMATCH");
  site.say("d1", "FAILED", "SELFTEST_MISMATCH");
  site.pass(1s);
  EXPECT_EQ(site.rollout_text("r"), "PAUSED(NO_PREVIOUS_RELEASE) all=FAILED");
}

// hawkbit#952: no rollback waits for the consent of a device.
TEST_F(Rollback, ACanceledAttemptIsOverAtOnce) {
  start(1);
  site.say("d0", "DOWNLOADING");
  const uint64_t number = site.newest("d0").number;
  ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("r"), ""}).ok());
  EXPECT_EQ(site.state().rollouts.deployments.at(number).state, DeploymentState::kCanceled);
  EXPECT_EQ(site.state().rollouts.deployments.at(number).reason, "ROLLBACK");
}

}  // namespace
}  // namespace covey::test
