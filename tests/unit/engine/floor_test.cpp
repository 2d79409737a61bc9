// SPDX-License-Identifier: Apache-2.0
// The security floor and the rollback window (docs/design/trust.md, "Security floor"): an ended
// rollout can be taken back for a while, and only then the floor rises.
#include <gtest/gtest.h>

#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

engine::EngineConfig with_window(Millis window) {
  engine::EngineConfig config = quick_config();
  config.rollback_window = window;
  return config;
}

class Floor : public testing::Test {
 protected:
  Floor() : site(with_window(10min)) {
    site.security_version = 1;
    site.push({1, 0, 0});
    site.security_version = 2;
    site.push({1, 1, 0});
    site.join_many("d", 3);
    for (const char* id : {"d0", "d1", "d2"}) site.run(id, {1, 0, 0});
  }

  void stay(Millis duration) {
    for (Millis gone{0}; gone < duration; gone += 30s) {
      for (const char* id : {"d0", "d1", "d2"}) site.status(id);
      site.pass(30s, 1s);
    }
  }
  void succeed() {
    ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
    site.pass(1s);
    site.obey_all();
    site.pass(2s);
    ASSERT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  }
  uint32_t floor(const std::string& id) {
    return site.state()
        .fleet.devices.at(DeviceId(id))
        .models.at(ModelName("bearing"))
        .security_floor;
  }
  std::optional<Digest> desired(const std::string& id) {
    return site.state().fleet.devices.at(DeviceId(id)).models.at(ModelName("bearing")).desired;
  }
  Result<engine::CommandReply> roll_back() {
    return site.command(engine::RollBackRollout{RolloutName("r"), "no good"});
  }
  Site site;
};

TEST_F(Floor, RisesWhenTheWindowClosesAndNotBefore) {
  succeed();
  stay(9min);
  EXPECT_EQ(floor("d0"), 0U);
  stay(90s);
  EXPECT_EQ(floor("d0"), 2U);
  EXPECT_EQ(site.goal("d0")->models.at(0).security_floor, 2U);
  site.check_reload();
  site.restart();
  EXPECT_EQ(floor("d0"), 2U);
  // What is older is refused from now on, for these devices.
  PlanDocument older = simple_plan("older", "1.0.0");
  const auto refused = site.roll_out(older);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "NO_DEVICE_CAN_TAKE_IT");
  EXPECT_NE(refused.error().message.find("BELOW_SECURITY_FLOOR"), std::string::npos);
}

TEST_F(Floor, ObservedTimeCounts) {
  succeed();
  site.disconnect_broker();
  site.pass(24h, 1min);
  site.connect_broker();
  site.hello("d0");
  site.pass(15s);
  EXPECT_EQ(floor("d0"), 0U);
}

TEST_F(Floor, ADeviceThatDoesNotRunItIsNotRaised) {
  succeed();
  site.fall_back("d0", {1, 0, 0}, "STARTS_EXHAUSTED");
  site.pass(1s);
  stay(11min);
  EXPECT_EQ(floor("d0"), 0U);
  EXPECT_EQ(floor("d1"), 2U);
}

TEST_F(Floor, AnotherRolloutOfTheReleaseHoldsIt) {
  PlanDocument some = simple_plan("r", "1.1.0");
  some.target = R"(id = "d0")";
  ASSERT_TRUE(site.roll_out(some).ok());
  site.pass(1s);
  site.obey_all();
  site.pass(2s);
  ASSERT_EQ(site.rollout("r").progress.state, RolloutState::kSucceeded);
  stay(9min);
  PlanDocument rest = simple_plan("rest", "1.1.0");
  rest.stages[0].soak = "1h";
  ASSERT_TRUE(site.roll_out(rest).ok());
  site.pass(1s);
  site.obey_all();
  stay(5min);
  EXPECT_EQ(floor("d0"), 0U);
  EXPECT_EQ(floor("d1"), 0U) << "it can still be sent back";
}

// It took what an attempt before had offered, while the next one knows the older release as what it
// would send the device back to.
TEST_F(Floor, ARolloutThatMaySendItBackHoldsIt) {
  succeed();
  stay(8min);
  site.fall_back("d0", {1, 0, 0}, "STARTS_EXHAUSTED");
  site.push({1, 2, 0});
  PlanDocument next = simple_plan("next", "1.2.0");
  next.target = R"(id = "d0")";
  next.attempt.deadline = "1h";
  ASSERT_TRUE(site.roll_out(next).ok());
  site.pass(2s);
  ASSERT_EQ(site.newest("d0").previous, site.manifest({1, 0, 0}));
  site.run("d0", {1, 1, 0});
  stay(5min);
  EXPECT_EQ(floor("d1"), 2U);
  EXPECT_EQ(floor("d0"), 0U);
  ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("next"), ""}).ok());
  site.pass(2s);
  site.obey_all();
  site.pass(2s);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kConfirmed);
  EXPECT_EQ(site.rollout("next").progress.state, RolloutState::kRolledBack);
}

TEST_F(Floor, AnEndedRolloutGoesBackWithinItsWindow) {
  succeed();
  ASSERT_FALSE(site.state().rollouts.assignments.empty());
  site.leave("d2");
  stay(2min);
  ASSERT_TRUE(roll_back().ok());
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRollingBack);
  EXPECT_TRUE(site.state().rollouts.assignments.empty()) << "nobody is given it any more";
  site.check_reload();
  site.pass(1s);
  site.obey_all();
  site.pass(1s);
  for (const char* id : {"d0", "d1", "d2"}) EXPECT_EQ(desired(id), site.manifest({1, 0, 0})) << id;
  EXPECT_EQ(site.rollout_text("r").substr(0, 21), "ROLLED_BACK(OPERATOR)");
  EXPECT_EQ(roll_back().error().reason, "ALREADY_ROLLED_BACK") << "once";
  stay(15min);
  EXPECT_EQ(floor("d0"), 0U);
  site.check_reload();
}

TEST_F(Floor, TheWindowCloses) {
  succeed();
  stay(11min);
  const auto late = roll_back();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().reason, "ROLLOUT_ENDED");
  EXPECT_NE(late.error().message.find("window is closed"), std::string::npos);
}

// A device that had it from the standing assignment goes back too.
TEST_F(Floor, WhatTheAssignmentGaveGoesBackToo) {
  succeed();
  site.join("late");
  site.run("late", {1, 0, 0});
  site.pass(11s);
  ASSERT_EQ(site.newest("late").cause, Cause::kAssignment);
  site.obey("late");
  ASSERT_EQ(site.newest("late").state, DeploymentState::kConfirmed);
  ASSERT_TRUE(roll_back().ok());
  site.pass(1s);
  EXPECT_EQ(site.newest("late").cause, Cause::kRollback);
  EXPECT_EQ(site.newest("late").manifest, site.manifest({1, 0, 0}));
}

// Last in, first out: a newer release of a device is not touched.
TEST_F(Floor, ANewerReleaseStands) {
  succeed();
  site.push({1, 2, 0});
  PlanDocument newer = simple_plan("newer", "1.2.0");
  newer.target = R"(id = "d0")";
  ASSERT_TRUE(site.roll_out(newer).ok());
  EXPECT_EQ(roll_back().error().reason, "ROLLOUT_OVERLAPS");
  site.pass(1s);
  site.obey_all();
  site.pass(2s);
  ASSERT_EQ(site.rollout("newer").progress.state, RolloutState::kSucceeded);
  ASSERT_TRUE(roll_back().ok());
  site.pass(1s);
  site.obey_all();
  EXPECT_EQ(desired("d0"), site.manifest({1, 2, 0}));
  EXPECT_EQ(desired("d1"), site.manifest({1, 0, 0}));
}

TEST_F(Floor, AnAbortedRolloutGoesBackToo) {
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].soak = "1h";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  site.obey_all();
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("r"), false, ""}).ok());
  ASSERT_TRUE(roll_back().ok());
  site.pass(1s);
  site.obey_all();
  site.pass(1s);
  EXPECT_EQ(desired("d1"), site.manifest({1, 0, 0}));
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRolledBack);
}

}  // namespace
}  // namespace covey::test
