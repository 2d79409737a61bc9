// SPDX-License-Identifier: Apache-2.0
// After a success the release is the target's current one.
#include <gtest/gtest.h>

#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

class Assigned : public testing::Test {
 protected:
  void SetUp() override {
    site.push({1, 0, 0});
    site.push({1, 1, 0});
    site.join("a");
    PlanDocument plan = simple_plan("r", "1.0.0");
    plan.target = R"(labels.line != "test")";
    ASSERT_TRUE(site.roll_out(plan).ok());
    site.pass(500ms);
    site.obey("a");
    site.pass(2s);
    ASSERT_EQ(site.rollout("r").progress.state, RolloutState::kSucceeded);
  }
  Site site;
};

TEST_F(Assigned, ANewDeviceGetsTheRelease) {
  site.join("b");
  site.pass(1s);
  EXPECT_EQ(site.newest("b").cause, Cause::kAssignment);
  EXPECT_EQ(site.newest("b").manifest, site.manifest({1, 0, 0}));
  site.obey("b");
  EXPECT_EQ(site.newest("b").state, DeploymentState::kConfirmed);
}

TEST_F(Assigned, AResetDeviceGetsItBack) {
  Played& d = site.device("a");
  d.model.confirmed.reset();
  d.model.active.reset();
  d.model.candidate.reset();
  d.model.phase = "IDLE";
  site.reboot("a");
  site.hello("a");
  site.pass(1s);
  EXPECT_EQ(site.newest("a").cause, Cause::kAssignment);
  site.obey("a");
  EXPECT_EQ(site.newest("a").state, DeploymentState::kConfirmed);
}

// hawkbit#446, #3185: a device that fell back is seen, and gets the release again.
TEST_F(Assigned, ADeviceThatFellBackLaterIsPutRight) {
  PlanDocument plan = simple_plan("r2", "1.1.0");
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey("a");
  site.pass(2s);
  ASSERT_EQ(site.rollout("r2").progress.state, RolloutState::kSucceeded);
  site.fall_back("a", {1, 0, 0}, "WATCHDOG");
  site.pass(1s);
  EXPECT_EQ(site.newest("a").cause, Cause::kAssignment);
  EXPECT_EQ(site.newest("a").manifest, site.manifest({1, 1, 0}));
}

TEST_F(Assigned, FailuresBackOffMoreAndMore) {
  site.join("b");
  site.pass(1s);
  std::vector<Millis> waits;
  for (int i = 0; i < 3; ++i) {
    const size_t before = site.attempts("b");
    site.say("b", "FAILED", "FLASH_WRITE");
    Millis waited{0};
    while (site.attempts("b") == before && waited < 600s) {
      site.pass(1s, 1s);
      if (waited.count() % 20'000 == 0) site.status("b");
      waited += 1s;
    }
    waits.push_back(waited);
  }
  EXPECT_GE(waits[0], 30s);
  EXPECT_GE(waits[1], 2 * waits[0] - 5s);
  EXPECT_GE(waits[2], 2 * waits[1] - 5s);
}

// golioth: adding a tag updated a device by accident. A label changes an assignment only for
// devices that have none.
TEST_F(Assigned, ALabelDoesNotMoveADeviceThatHasItsRelease) {
  ASSERT_TRUE(site.command(engine::LabelDevices{
                               {.ids = {DeviceId("a")}, .filter = ""}, {{"line", "press"}}, {}})
                  .ok());
  PlanDocument plan = simple_plan("press-only", "1.1.0");
  plan.target = R"(labels.line = "press")";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey("a");
  site.pass(2s);
  ASSERT_EQ(site.rollout("press-only").progress.state, RolloutState::kSucceeded);
  site.join("b");
  site.pass(1s);
  site.obey("b");
  ASSERT_EQ(site.device("b").model.confirmed, site.manifest({1, 0, 0}));
  const size_t before = site.attempts("b");
  ASSERT_TRUE(site.command(engine::LabelDevices{
                               {.ids = {DeviceId("b")}, .filter = ""}, {{"line", "press"}}, {}})
                  .ok());
  site.pass(30s);
  EXPECT_EQ(site.attempts("b"), before);
}

TEST_F(Assigned, ADeviceOutsideTheTargetGetsNothing) {
  site.enroll("t");
  site.accept("t");
  Site other;
  other.push({1, 0, 0});
  other.join("x");
  PlanDocument plan = simple_plan("r", "1.0.0");
  plan.target = R"(class = "m4")";
  ASSERT_TRUE(other.roll_out(plan).ok());
  other.pass(500ms);
  other.obey("x");
  other.pass(2s);
  other.join("y", "m7");
  other.pass(5s);
  EXPECT_EQ(other.attempts("y"), 0U);
}

}  // namespace
}  // namespace covey::test
