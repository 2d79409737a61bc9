#include <gtest/gtest.h>

#include "gateway/engine/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

// A restored backup: devices have seen more than the store ever said.
TEST(Restore, AHigherCounterPausesWhatIsGoingOn) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 2);
  site.run("d0", {1, 0, 0});
  site.run("d1", {1, 0, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.device("d0").goal_counter = 1000;
  site.hello("d0");
  EXPECT_TRUE(site.state().site.reconciling);
  EXPECT_EQ(site.rollout("r").state, RolloutState::kPaused);
  EXPECT_EQ(site.rollout("r").reason, "RESTORED");
  EXPECT_GT(site.state().devices.at(DeviceId("d0")).goal_counter, 1000U);
  EXPECT_GT(site.goal("d0")->counter, 1000U) << "said again, above what it has seen";
  // The next goal is above what the device has seen: it is accepted.
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  site.pass(1s);
  ASSERT_NE(site.goal("d0"), nullptr);
  EXPECT_GT(site.goal("d0")->counter, 1000U);
  site.check_reload();
}

TEST(Restore, AHigherEpochIsAdopted) {
  Site site;
  site.join("a");
  site.device("a").site_epoch = 5;
  site.hello("a");
  EXPECT_EQ(site.state().site.site_epoch, 5U);
  EXPECT_TRUE(site.state().site.reconciling);
}

TEST(Restore, ASecondRestoreIsSeenToo) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 2);
  site.run("d0", {1, 0, 0});
  site.run("d1", {1, 0, 0});
  site.device("d0").goal_counter = 1000;
  site.hello("d0");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  ASSERT_EQ(site.rollout("r").state, RolloutState::kRunning);
  site.device("d1").site_epoch = 9;
  site.hello("d1");
  EXPECT_EQ(site.rollout("r").state, RolloutState::kPaused);
}

TEST(Restore, EndsWhenEveryDeviceHasSaidHello) {
  Site site;
  site.join_many("d", 3);
  std::vector<std::string> told;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* report = std::get_if<engine::Report>(&effect)) {
      if (report->event == "site_reconciled") told.push_back(report->text);
    }
  };
  site.restart();
  site.device("d0").goal_counter = 1000;
  site.hello("d0");
  site.pass(11s);
  EXPECT_TRUE(site.state().site.reconciling);
  site.restart();
  EXPECT_TRUE(site.state().site.reconciling) << "stored";
  for (const char* id : {"d0", "d1"}) site.hello(id);
  site.pass(11s);
  EXPECT_TRUE(site.state().site.reconciling);
  site.hello("d2");
  site.pass(11s);
  EXPECT_FALSE(site.state().site.reconciling);
  EXPECT_EQ(told, std::vector<std::string>{"every device has said hello"});
  site.check_reload();
  site.restart();
  EXPECT_FALSE(site.state().site.reconciling);
}

TEST(Restore, DoesNotWaitForSleepersForEver) {
  Site site;
  site.join_many("d", 2);
  site.restart();
  site.device("d0").goal_counter = 1000;
  site.hello("d0");
  // offline_after, and the grace of two report intervals; observed time, so the broker must be
  // there.
  site.disconnect_broker();
  site.pass(10min, 1s);
  EXPECT_TRUE(site.state().site.reconciling);
  site.connect_broker();
  site.pass(55s);
  EXPECT_TRUE(site.state().site.reconciling);
  site.pass(16s);
  EXPECT_FALSE(site.state().site.reconciling);
  // Who sleeps on is adopted when it wakes up: another one that knows better.
  site.device("d1").goal_counter = 2000;
  site.hello("d1");
  EXPECT_TRUE(site.state().site.reconciling);
}

// The backup is of before the upgrade: its wish must not undo what the fleet has proven since.
TEST(Restore, WhatTheFleetRunsIsAdopted) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 2);
  for (const char* id : {"d0", "d1"}) site.run(id, {1, 0, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  ASSERT_EQ(site.rollout_text("r"), "SUCCEEDED(NOTHING_TO_DO) all=PASSED");
  site.device("d0").goal_counter = 1000;
  site.run("d0", {1, 1, 0});
  // The other one left by itself, and nobody told it to: it goes back to what it should run.
  site.run("d1", {1, 1, 0});
  site.pass(11s);
  const auto desired = [&](const std::string& id) {
    return site.state().devices.at(DeviceId(id)).models.at(ModelName("bearing")).desired;
  };
  EXPECT_EQ(desired("d0"), site.manifest({1, 1, 0}));
  EXPECT_EQ(desired("d1"), site.manifest({1, 0, 0}));
  EXPECT_EQ(site.attempts("d0"), 0U) << "nobody takes it back";
  EXPECT_EQ(site.newest("d1").release.version, (Version{1, 0, 0}));
  site.check_reload();
}

TEST(Restore, GoalsOfTheOldEpochAreSaidAgain) {
  Site site;
  site.push({1, 0, 0});
  site.join_many("d", 2);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(1s);
  site.obey_all();
  site.device("d0").site_epoch = 5;
  site.hello("d0");
  const uint64_t before = site.goal("d1")->counter;
  site.hello("d1");
  EXPECT_GT(site.goal("d1")->counter, before);
  EXPECT_EQ(site.goal("d1")->site_epoch, 5U);
}

}  // namespace
}  // namespace covey::test
