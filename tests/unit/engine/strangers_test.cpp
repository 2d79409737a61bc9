// SPDX-License-Identifier: Apache-2.0
// Whoever has the enrolment token can ask under any id: what comes of it is bounded, ages out, can
// be removed, and is told.
#include <gtest/gtest.h>

#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

using engine::Drop;

engine::EngineConfig few_places() {
  engine::EngineConfig config = quick_config();
  config.pending_max = 20;
  config.stranger_expiry = 24h;
  return config;
}

bool is_known(const Site& site, const std::string& id) {
  return site.state().fleet.devices.contains(DeviceId(id));
}

const Device& known(const Site& site, const std::string& id) {
  return site.state().fleet.devices.at(DeviceId(id));
}

TEST(Strangers, JunkGivesItsPlaceToWhoGoesOnAsking) {
  Site site(few_places());
  site.enroll("honest");
  for (int i = 0; i < 19; ++i) site.enroll("junk" + std::to_string(i));
  for (int i = 0; i < 13; ++i) {
    site.pass(5s, 1s);
    site.enroll("honest");
  }
  site.enroll("late");
  EXPECT_TRUE(is_known(site, "late"));
  for (int i = 0; i < 100; ++i) site.enroll("flood" + std::to_string(i));
  EXPECT_TRUE(is_known(site, "honest")) << "it was heard five seconds ago";
  EXPECT_LE(site.state().fleet.devices.size(), 20U);
  site.accept("honest");
  EXPECT_EQ(known(site, "honest").state, DeviceState::kAccepted);
  site.check_reload();
}

// Somebody asks under a new id all the time, so that no place is older than a minute.
TEST(Strangers, AFloodDoesNotKeepANewcomerOut) {
  engine::EngineConfig config = few_places();
  config.pending_max = 200;
  Site site(config);
  site.enroll("waits");
  site.pass(5s, 1s);
  site.enroll("waits");
  int flooded = 0;
  const auto flood = [&](int ids) {
    for (int i = 0; i < ids; ++i) site.enroll("flood" + std::to_string(flooded++));
  };
  flood(400);
  EXPECT_GE(site.drops(Drop::kEnrollLimit), 150U) << "not each of them costs rows";
  bool in = false;
  for (int asked = 0; asked < 60; ++asked) {
    site.enroll("newcomer");
    in = in || is_known(site, "newcomer");
    ASSERT_EQ(is_known(site, "newcomer"), in) << "it stays as long as it asks";
    ASSERT_TRUE(is_known(site, "waits"));
    for (int second = 0; second < 5; ++second) {
      flood(10);
      site.pass(1s, 1s);
    }
    site.enroll("waits");
  }
  EXPECT_TRUE(in);
  EXPECT_LE(site.state().fleet.devices.size(), 200U);
  site.check_reload();
}

TEST(Strangers, RejectedOnesGiveWayTooAcceptedOnesNeverCount) {
  Site site(few_places());
  for (int i = 0; i < 20; ++i) site.enroll("a" + std::to_string(i));
  for (int i = 0; i < 10; ++i) site.accept("a" + std::to_string(i));
  for (int i = 10; i < 20; ++i) {
    ASSERT_TRUE(site.command(engine::RejectDevice{DeviceId("a" + std::to_string(i))}).ok());
  }
  for (int i = 0; i < 10; ++i) site.enroll("b" + std::to_string(i));
  EXPECT_TRUE(is_known(site, "b9"));
  site.pass(2min, 1s);
  for (int i = 0; i < 20; ++i) site.enroll("c" + std::to_string(i));
  EXPECT_TRUE(is_known(site, "c19"));
  EXPECT_FALSE(is_known(site, "a19"));
  EXPECT_TRUE(is_known(site, "a0"));
  site.check_reload();
}

TEST(Strangers, AgeOut) {
  Site site(few_places());
  site.enroll("silent");
  site.enroll("asks");
  site.join("accepted");
  for (int hour = 0; hour < 25; ++hour) {
    site.pass(1h, 1min);
    site.enroll("asks");
  }
  EXPECT_FALSE(is_known(site, "silent"));
  EXPECT_TRUE(is_known(site, "asks"));
  EXPECT_TRUE(is_known(site, "accepted"));
  site.check_reload();
}

TEST(Strangers, AnotherNonceLeavesATrace) {
  Site site;
  site.enroll("a", 1);
  EXPECT_EQ(known(site, "a").enroll_changes, 0U);
  site.enroll("a", 2);
  EXPECT_EQ(known(site, "a").enroll_changes, 1U);
  EXPECT_EQ(known(site, "a").enroll_nonce, 2U);
  site.enroll("a", 3);
  EXPECT_EQ(known(site, "a").enroll_nonce, 2U) << "not twice in a second";
  site.pass(2s);
  site.enroll("a", 3);
  EXPECT_EQ(known(site, "a").enroll_changes, 2U);
  EXPECT_GT(known(site, "a").enroll_changed_wall.count(), 0);
  site.check_reload();
}

class Removed : public FleetTest {};

TEST_F(Removed, LeavesEverythingThatCountsOnIt) {
  make(3);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(500ms);
  site.obey("d0");
  site.obey("d1");
  site.say("d2", "DOWNLOADING");
  site.report("d2", site.window("d2", 10));
  const auto effects =
      site.handle(engine::CommandReceived{1, {engine::RemoveDevice{DeviceId("d2")}, "alice", ""}});
  EXPECT_EQ(find<engine::SetCredential>(effects)->password, "");
  EXPECT_NE(find<engine::ClearGoal>(effects), nullptr);
  EXPECT_FALSE(is_known(site, "d2"));
  EXPECT_EQ(site.audit().front().action, "REMOVE_DEVICE");
  EXPECT_EQ(site.audit().front().subject, "d2");
  EXPECT_TRUE(std::none_of(site.state().telemetry.totals.begin(),
                           site.state().telemetry.totals.end(),
                           [](const auto& row) { return row.second.device == DeviceId("d2"); }));
  site.check_reload();
  site.pass(2s);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kSucceeded) << site.rollout_text("r");
  site.check_reload();
  site.restart();
  site.pass(1s);
  // Under its id comes a new one.
  site.enroll("d2", 9);
  EXPECT_EQ(known(site, "d2").state, DeviceState::kPending);
  EXPECT_EQ(known(site, "d2").enroll_generation, 1U);
  EXPECT_EQ(site.command(engine::RemoveDevice{DeviceId("none")}).error().code, Code::kNotFound);
  site.check_reload();
}

TEST_F(Removed, EndsTheWaitOfARollback) {
  make(2);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].soak = "1h";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey_all();
  ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("r"), ""}).ok());
  site.pass(500ms);
  site.obey("d0");
  ASSERT_TRUE(site.command(engine::RemoveDevice{DeviceId("d1")}).ok());
  site.pass(500ms);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRolledBack);
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
