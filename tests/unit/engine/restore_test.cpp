// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

// As many as it takes in a small fleet.
void show_counter(Site& site, uint64_t counter) {
  for (const char* id : {"d0", "d1"}) {
    site.device(id).goal_counter = counter;
    site.hello(id);
  }
}
void show_epoch(Site& site, uint32_t epoch) {
  for (const char* id : {"d0", "d1"}) {
    site.device(id).site_epoch = epoch;
    site.hello(id);
  }
}
const monitoring::Alert* alert_about(const Site& site, const std::string& device) {
  const auto track =
      site.state().telemetry.alerts.find({"", monitoring::AlertKind::kAheadOfSite, device, ""});
  return track == site.state().telemetry.alerts.end() || !track->second.newest
             ? nullptr
             : &*track->second.newest;
}

// A restored backup: devices have seen more than the store ever said.
TEST(Restore, HigherCountersPauseWhatIsGoingOn) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 2);
  site.run("d0", {1, 0, 0});
  site.run("d1", {1, 0, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  show_counter(site, 1000);
  EXPECT_TRUE(site.state().site.reconciling);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kPaused);
  EXPECT_EQ(site.rollout("r").progress.reason, "RESTORED");
  EXPECT_GT(site.state().fleet.devices.at(DeviceId("d0")).goal_counter, 1000U);
  EXPECT_GT(site.goal("d0")->counter, 1000U) << "said again, above what it has seen";
  // The next goal is above what the device has seen: it is accepted.
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  site.pass(1s);
  ASSERT_NE(site.goal("d0"), nullptr);
  EXPECT_GT(site.goal("d0")->counter, 1000U);
  site.check_reload();
}

TEST(Restore, ASiteOfOneDeviceHasNoSecondOpinion) {
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
  show_counter(site, 1000);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  ASSERT_EQ(site.rollout("r").progress.state, RolloutState::kRunning);
  show_epoch(site, 9);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kPaused);
  EXPECT_EQ(site.state().site.site_epoch, 9U);
}

TEST(Restore, EndsWhenEveryDeviceHasSaidHello) {
  Site site;
  site.join_many("d", 3);
  std::vector<std::string> told;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* report = std::get_if<engine::LogLine>(&effect)) {
      if (report->event == "site_reconciled") told.push_back(report->text);
    }
  };
  site.restart();
  show_counter(site, 1000);
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
  site.join_many("d", 3);
  site.restart();
  show_counter(site, 1000);
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
  // Who sleeps on is adopted when it wakes up, and stops nobody else.
  site.device("d2").goal_counter = 2000;
  site.hello("d2");
  EXPECT_FALSE(site.state().site.reconciling);
  EXPECT_GT(site.state().fleet.devices.at(DeviceId("d2")).goal_counter, 2000U);
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
  EXPECT_FALSE(site.state().site.reconciling) << "its own matter";
  // The other one left by itself, and nobody told it to: it goes back to what it should run.
  site.run("d1", {1, 1, 0});
  site.pass(11s);
  const auto desired = [&](const std::string& id) {
    return site.state().fleet.devices.at(DeviceId(id)).models.at(ModelName("bearing")).desired;
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
  site.join_many("d", 3);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(1s);
  site.obey_all();
  show_epoch(site, 5);
  ASSERT_EQ(site.state().site.site_epoch, 5U);
  const uint64_t before = site.goal("d2")->counter;
  site.hello("d2");
  EXPECT_GT(site.goal("d2")->counter, before);
  EXPECT_EQ(site.goal("d2")->site_epoch, 5U);
  EXPECT_EQ(site.goal("d0")->site_epoch, 5U) << "it waited in quarantine";
}

// ---- one accepted device that lies (docs/adr/0013)

class Liar : public testing::Test {
 protected:
  void make(int devices) {
    site.push({1, 0, 0});
    site.push({1, 1, 0});
    site.join_many("d", devices);
    for (int i = 0; i < devices; ++i) site.run("d" + std::to_string(i), {1, 0, 0});
  }
  Site site;
};

TEST_F(Liar, ACounterIsItsOwnMatterAndAnAlertNamesIt) {
  make(3);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.device("d0").goal_counter = uint64_t{1} << 60U;
  site.hello("d0");
  EXPECT_FALSE(site.state().site.reconciling);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRunning);
  EXPECT_LT(site.state().fleet.devices.at(DeviceId("d1")).goal_counter, 1000U);
  ASSERT_NE(alert_about(site, "d0"), nullptr);
  EXPECT_EQ(alert_about(site, "d0")->state, monitoring::AlertState::kFiring);
  EXPECT_EQ(monitoring::devices_of(*alert_about(site, "d0")), std::vector{DeviceId("d0")});
  EXPECT_EQ(site.state().counters.restores, 0U);
  // Again and again, a little more each time: no second witness.
  for (uint64_t more = 1; more < 50; ++more) {
    site.device("d0").goal_counter += 1000 * more;
    site.hello("d0");
  }
  EXPECT_FALSE(site.state().site.reconciling);
  site.pass(1s);
  site.obey_all();
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  site.check_reload();
}

TEST_F(Liar, AnEpochPutsItInQuarantineAndStopsNobodyElse) {
  make(4);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].max_in_flight = 1;
  plan.offline.skip_after = "1m";
  site.device("d0").site_epoch = 4'000'000'000;
  site.hello("d0");
  EXPECT_EQ(site.state().site.site_epoch, 1U);
  ASSERT_TRUE(site.roll_out(plan).ok());
  for (int i = 0; i < 80; ++i) {
    site.pass(1s);
    for (const char* id : {"d1", "d2", "d3"}) {
      if (site.attempts(id) > 0 && in_flight(site.newest(id).state)) site.obey(id);
      site.status(id);
    }
    site.hello("d0");
  }
  EXPECT_FALSE(site.state().site.reconciling);
  EXPECT_EQ(site.newest("d0").attempt, 0U) << "nothing was offered: it would refuse";
  EXPECT_EQ(site.newest("d0").reason, "QUARANTINED");
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  EXPECT_EQ(site.goal("d1")->site_epoch, 1U);
  ASSERT_NE(alert_about(site, "d0"), nullptr);
  EXPECT_EQ(alert_about(site, "d0")->state, monitoring::AlertState::kFiring);
}

TEST_F(Liar, TheSiteTakesTheEpochThatOthersHaveSeenToo) {
  make(3);
  site.device("d0").site_epoch = 4'000'000'000;
  site.hello("d0");
  for (const char* id : {"d1", "d2"}) {
    EXPECT_EQ(site.state().site.site_epoch, 1U);
    site.device(id).site_epoch = 7;
    site.hello(id);
    if (site.state().site.site_epoch != 1) break;
  }
  EXPECT_EQ(site.state().site.site_epoch, 7U) << "of the two highest, the lower";
  EXPECT_TRUE(engine::is_quarantined(site.state(), DeviceId("d0")));
  EXPECT_FALSE(engine::is_quarantined(site.state(), DeviceId("d1")));
  EXPECT_EQ(alert_about(site, "d0")->state, monitoring::AlertState::kFiring);
  EXPECT_EQ(alert_about(site, "d1")->state, monitoring::AlertState::kResolved);
}

TEST_F(Liar, ALargeFleetTakesOnePercentAndNeverMoreThanTen) {
  make(450);
  for (int i = 0; i < 3; ++i) {
    site.device("d" + std::to_string(i)).site_epoch = 2;
    site.hello("d" + std::to_string(i));
    EXPECT_FALSE(site.state().site.reconciling) << i;
  }
  site.device("d3").site_epoch = 2;
  site.hello("d3");
  EXPECT_TRUE(site.state().site.reconciling);
  EXPECT_EQ(site.state().counters.restores, 1U);
}

TEST_F(Liar, NewKeysOrAnHourEndIt) {
  make(3);
  for (const char* id : {"d0", "d1"}) {
    site.device(id).site_epoch = id[1] == '0' ? 9 : 1;
    site.device(id).goal_counter = id[1] == '0' ? 0 : 500;
    if (id[1] == '0') {
      site.hello(id);
      ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId(id)}).ok());
      EXPECT_EQ(alert_about(site, id)->state, monitoring::AlertState::kResolved);
    }
  }
  site.hello("d1");
  EXPECT_FALSE(site.state().site.reconciling) << "the other one's word is gone";
  EXPECT_EQ(alert_about(site, "d1")->state, monitoring::AlertState::kFiring);
  site.pass(62min, 2s);
  EXPECT_EQ(alert_about(site, "d1")->state, monitoring::AlertState::kResolved);
  EXPECT_TRUE(site.state().fleet.ahead.empty());
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
