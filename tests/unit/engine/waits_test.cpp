// SPDX-License-Identifier: Apache-2.0
// No rollout waits for one device without a limit and a way out, and what it waits for is said.
#include <gtest/gtest.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/waits.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

class Waits : public FleetTest {
 protected:
  void start(int devices, uint32_t retries = 0) {
    make(devices);
    PlanDocument plan = simple_plan("r", "1.1.0");
    plan.stages[0].soak = "1h";
    plan.gates = {failures_gate("100%")};
    plan.attempt.retries = retries;
    plan.attempt.backoff = "10s";
    ASSERT_TRUE(site.roll_out(plan).ok());
    site.pass(500ms);
  }
  // A device that is there and does nothing.
  void linger(const std::string& id, Millis time) {
    for (Millis passed{0}; passed < time; passed += 10s) {
      site.status(id);
      site.pass(10s, 1s);
    }
  }
  Result<engine::CommandReply> roll_back() {
    return site.command(engine::RollBackRollout{RolloutName("r"), "no good"});
  }
  Result<engine::CommandReply> skip(const std::string& id) {
    return site.command(engine::SkipDevice{RolloutName("r"), DeviceId(id), ""});
  }
  const RolloutProgress& progress() { return site.rollout("r").progress; }
  std::vector<engine::Wait> waits() { return engine::waits_of(site.state(), site.rollout("r")); }
  size_t outstanding() {
    return site.state().rollouts.attempts.at(RolloutName("r")).rollback.unproven.size();
  }
};

TEST_F(Waits, ARollbackEndsWithoutADeviceThatIgnoresItsGoal) {
  start(3);
  for (const char* id : {"d0", "d1", "d2"}) site.obey(id);
  ASSERT_TRUE(roll_back().ok());
  site.pass(500ms);
  site.obey("d0");
  site.obey("d1");
  linger("d2", 45min);
  EXPECT_EQ(progress().state, RolloutState::kRolledBack);
  EXPECT_NE(progress().explanation.find("2 of 3 devices are back, 1 outstanding"),
            std::string::npos)
      << progress().explanation;
  EXPECT_EQ(outstanding(), 1U) << "it has timed out, and is not back";
  site.check_reload();
  // Its goal stands: it is asked again, and when it is back that counts.
  linger("d2", 10min);
  ASSERT_TRUE(in_flight(site.newest("d2").state));
  EXPECT_EQ(site.newest("d2").cause, Cause::kAssignment);
  site.obey("d2");
  EXPECT_EQ(outstanding(), 0U);
  site.check_reload();
}

TEST_F(Waits, AnOperatorSkipsADeviceOfARollback) {
  start(2);
  site.obey("d0");
  site.obey("d1");
  ASSERT_TRUE(roll_back().ok());
  site.pass(500ms);
  site.obey("d0");
  ASSERT_EQ(waits().size(), 1U);
  EXPECT_EQ(waits()[0].what, "IN_PROGRESS");
  EXPECT_EQ(waits()[0].devices, std::vector<DeviceId>{DeviceId("d1")});
  EXPECT_GT(waits()[0].until, site.now().wall);
  EXPECT_EQ(skip("d0").error().reason, "NOT_WAITED_FOR");
  ASSERT_TRUE(skip("d1").ok());
  site.pass(500ms);
  EXPECT_EQ(progress().state, RolloutState::kRolledBack);
  EXPECT_EQ(outstanding(), 1U);
  EXPECT_EQ(skip("d1").error().reason, "ROLLOUT_ENDED");
  EXPECT_EQ(roll_back().error().reason, "ALREADY_ROLLED_BACK");
  site.check_reload();
}

TEST_F(Waits, AnOperatorEndsARollback) {
  start(2);
  site.obey("d0");
  site.obey("d1");
  ASSERT_TRUE(roll_back().ok());
  site.pass(500ms);
  const RolloutName name("r");
  EXPECT_EQ(site.command(engine::AbortRollout{name, false, ""}).error().reason, "ROLLING_BACK");
  ASSERT_TRUE(site.command(engine::AbortRollout{name, true, "enough"}).ok());
  EXPECT_EQ(progress().state, RolloutState::kRolledBack);
  EXPECT_NE(progress().explanation.find("0 of 2 devices are back, 2 outstanding"),
            std::string::npos);
  // Both go on by themselves, and another rollout may have them.
  PlanDocument next = simple_plan("next", "1.1.0");
  EXPECT_TRUE(site.roll_out(next).ok());
  site.check_reload();
}

TEST_F(Waits, ADeviceMayAskForAnHourAtMost) {
  start(2, 1);
  site.obey("d0");
  site.device("d1").model.retry_after_s = UINT32_MAX;
  site.say("d1", "DECLINED", "BYTE_BUDGET");
  site.pass(1s);
  ASSERT_EQ(waits().size(), 1U);
  EXPECT_EQ(waits()[0].what, "RETRY");
  EXPECT_EQ(waits()[0].devices, std::vector<DeviceId>{DeviceId("d1")});
  EXPECT_LE(waits()[0].until, site.now().wall + 1h);
  linger("d1", 61min);
  EXPECT_EQ(site.newest("d1").attempt_in_rollout, 2U);
  const auto events = site.events("r");
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const EventRecord& e) {
    return e.kind == "DEPLOYMENT_DECLINED" && e.text == "BYTE_BUDGET (attempt 1)";
  }));
}

TEST_F(Waits, AnOperatorSkipsADeviceBetweenTwoAttempts) {
  start(2, 1);
  site.obey("d0");
  site.device("d1").model.retry_after_s = 3600;
  site.say("d1", "DECLINED", "BYTE_BUDGET");
  site.pass(1s);
  ASSERT_TRUE(skip("d1").ok());
  EXPECT_EQ(site.newest("d1").state, DeploymentState::kCanceled);
  EXPECT_EQ(site.newest("d1").reason, "SKIPPED");
  site.pass(1s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  ASSERT_EQ(waits().size(), 1U);
  EXPECT_EQ(waits()[0].what, "SOAK");
  EXPECT_EQ(waits()[0].devices_total, 0U);
  site.check_reload();
}

TEST_F(Waits, TheOfflineDeviceIsNamedFirst) {
  make(14);
  for (int i = 1; i < 13; ++i) site.leave("d" + std::to_string(i));
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  ASSERT_EQ(waits().size(), 2U);
  const engine::Wait first = waits()[0];
  EXPECT_EQ(first.what, "OFFLINE");
  EXPECT_EQ(first.devices.size(), 10U);
  EXPECT_EQ(first.devices_total, 12U);
  EXPECT_GT(first.since.count(), 0);
  EXPECT_GT(first.until, site.now().wall);
  EXPECT_NE(first.advice.find("covey rollout skip r "), std::string::npos);
  EXPECT_EQ(waits()[1].what, "IN_PROGRESS");
}

TEST_F(Waits, WhoLeavesTheFleetLeavesTheStageAtOnce) {
  make(3);
  site.leave("d1");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  site.obey("d0");
  site.obey("d2");
  ASSERT_EQ(site.newest("d1").state, DeploymentState::kQueued);
  ASSERT_TRUE(site.command(engine::RejectDevice{DeviceId("d1")}).ok());
  EXPECT_EQ(site.newest("d1").reason, "DEVICE_REJECTED");
  site.pass(2s);
  EXPECT_EQ(progress().state, RolloutState::kSucceeded) << site.rollout_text("r");
  EXPECT_EQ(progress().explanation, "2 devices have proven that they run it");
  site.check_reload();
}

TEST_F(Waits, WhoEnrolsAnewIsFreeForOthers) {
  start(3);
  site.leave("d1");
  site.obey("d0");
  site.say("d2", "DOWNLOADING");
  ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId("d2")}).ok());
  EXPECT_EQ(site.newest("d2").reason, "DEVICE_REENROLLED");
  EXPECT_EQ(engine::open_rollout_of(site.state(), DeviceId("d2"), ModelName("bearing")), nullptr);
  // Its turn in a rollout that began before comes no more.
  site.pass(1s);
  EXPECT_EQ(waits().size(), 1U);
  EXPECT_EQ(waits()[0].devices, std::vector<DeviceId>{DeviceId("d1")});
  site.check_reload();
}

TEST_F(Waits, AQuarantinedDeviceLeavesTheStageAtOnce) {
  start(3);
  site.obey("d0");
  site.obey("d1");
  engine::HelloMessage hello = site.hello_of("d2");
  hello.site_epoch = 7;
  site.send("d2", hello);
  EXPECT_EQ(site.newest("d2").reason, "QUARANTINED");
  site.pass(1s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  site.check_reload();
}

TEST_F(Waits, ADeviceOfAnotherClassGetsTheArtifactOfThatClass) {
  site.push({1, 0, 0}, {"m4"});
  site.push({1, 1, 0}, {"m4"});
  site.join_many("d", 2);
  site.run("d0", {1, 0, 0});
  site.run("d1", {1, 0, 0});
  PlanDocument plan = simple_plan("r", "1.1.0");
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey("d0");
  site.device("d1").facts.device_class = DeviceClass("m7");
  site.hello("d1");
  EXPECT_EQ(site.newest("d1").reason, "DEVICE_CHANGED");
  site.pass(2s);
  EXPECT_EQ(progress().state, RolloutState::kSucceeded) << site.rollout_text("r");
  site.check_reload();
}

TEST_F(Waits, WhatNoDeviceCanTakeIsNoSuccess) {
  make(2);
  site.join("small", "m0");
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.target = "id = small";
  const auto refused = site.roll_out(plan);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "NO_DEVICE_CAN_TAKE_IT");
  EXPECT_NE(refused.error().message.find("small: CLASS_MISMATCH"), std::string::npos);
  // Where some run it and the rest can't, the rest are counted.
  plan.release = "bearing@1.0.0";
  plan.target = "";
  ASSERT_TRUE(site.roll_out(plan).ok());
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED(NOTHING_TO_DO) all=PASSED");
  EXPECT_EQ(progress().explanation,
            "2 devices of the target run it already; 1 device of the target can't take it: small "
            "(CLASS_MISMATCH)");
}

TEST_F(Waits, ARollbackOfAFirstModelIsRefused) {
  site.push({1, 1, 0});
  site.join_many("d", 2);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  site.obey_all();
  site.pass(3s);
  ASSERT_EQ(progress().state, RolloutState::kSucceeded);
  EXPECT_EQ(roll_back().error().reason, "NO_PREVIOUS_RELEASE");
  EXPECT_EQ(progress().state, RolloutState::kSucceeded);
}

TEST_F(Waits, ARollbackCountsThoseThatHadNothingBefore) {
  make(2);
  site.join("new");
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].soak = "1h";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey_all();
  site.pass(500ms);
  ASSERT_TRUE(roll_back().ok());
  site.pass(500ms);
  site.obey_all();
  site.pass(500ms);
  EXPECT_EQ(progress().state, RolloutState::kRolledBack);
  EXPECT_NE(progress().explanation.find(
                "2 devices are back; 1 had no release before and keep bearing@1.1.0"),
            std::string::npos)
      << progress().explanation;
}

TEST_F(Waits, CountersThatADeviceClaimsRiseByBoundedSteps) {
  make(1);
  site.device("d0").model.attempt = UINT32_MAX;
  site.status("d0");
  const Device& device = site.state().fleet.devices.at(DeviceId("d0"));
  EXPECT_LE(device.models.at(ModelName("bearing")).attempt_last, kAttemptStepMax);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  EXPECT_EQ(site.newest("d0").attempt, kAttemptStepMax + 1);
  engine::StatusMessage status = site.status_of("d0");
  const uint64_t before = device.goal_counter;
  status.goal_counter = UINT64_MAX;
  site.send("d0", status);
  EXPECT_LE(device.goal_counter, before + kGoalCounterStepMax + 1);
}

// Each is a commit and an answer: the others are not to wait for one.
TEST_F(Waits, AFloodOfHellosIsItsOwnLoss) {
  make(2);
  size_t said = 0;
  site.on_said = [&](const engine::Effect&) { ++said; };
  for (int i = 0; i < 5'000; ++i) site.send("d0", site.hello_of("d0"));
  EXPECT_LE(said, 10 * kHellosPerMinute);
  EXPECT_GT(site.drops(engine::Drop::kOverBudget), 4'000U);
  site.pass(2min, 1s);
  site.hello("d0");
  EXPECT_EQ(engine::is_online(site.state(), DeviceId("d0")), true);
}

TEST_F(Waits, AnEpochThatOneDeviceClaimsIsBoundedAndMakesNoFloods) {
  start(3);
  const size_t before = site.store().load({})->alerts.size();
  engine::HelloMessage high = site.hello_of("d0");
  engine::HelloMessage low = high;
  high.site_epoch = UINT32_MAX;
  low.site_epoch = 1;
  size_t lines = 0;
  site.on_said = [&](const engine::Effect& effect) {
    if (std::holds_alternative<engine::LogLine>(effect)) ++lines;
  };
  for (int i = 0; i < 200; ++i) {
    site.send("d0", i % 2 == 0 ? high : low);
    high.site_epoch -= 1;
  }
  EXPECT_LE(site.state().fleet.ahead.at(DeviceId("d0")).site_epoch,
            site.state().site.site_epoch + kEpochStepMax);
  EXPECT_LE(lines, 5U);
  EXPECT_LE(site.store().load({})->alerts.size(), before + 1);
}

}  // namespace
}  // namespace covey::test
