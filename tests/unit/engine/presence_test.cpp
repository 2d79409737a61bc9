// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;

bool online(const Site& site, const std::string& id) {
  return engine::is_online(site.state(), DeviceId(id));
}

TEST(Presence, OnlineIsSoftAndExpires) {
  Site site;
  site.join("a");
  EXPECT_TRUE(online(site, "a"));
  site.pass(40s, 1s);
  EXPECT_TRUE(online(site, "a"));
  site.pass(2s, 1s);
  EXPECT_FALSE(online(site, "a"));
  site.hello("a");
  EXPECT_TRUE(online(site, "a"));
  site.restart();
  EXPECT_FALSE(online(site, "a")) << "nobody was heard since the start";
}

TEST(Presence, AReportIsHeardAsWell) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  site.run("a", {1, 0, 0});
  const Millis before = site.now().wall;
  site.pass(30s, 1s);
  site.report("a", site.window("a", 10));
  const auto heard = [&site] {
    return engine::last_heard(site.state(), site.state().fleet.devices.at(DeviceId("a")));
  };
  EXPECT_EQ(heard(), site.now().wall);
  site.restart();
  EXPECT_GT(heard(), Millis{0});
  EXPECT_LE(heard(), before) << "a report does not change the device's row";
}

TEST(Presence, TheLastWillOfAnOlderConnectionSaysNothing) {
  Site site;
  site.join("a");
  site.device("a").connection = 2;
  site.hello("a");
  site.send("a", engine::ByeMessage{site.device("a").boot_id, 1});
  EXPECT_TRUE(online(site, "a"));
  site.send("a", engine::ByeMessage{site.device("a").boot_id + 1, 2});
  EXPECT_TRUE(online(site, "a"));
  site.leave("a");
  EXPECT_FALSE(online(site, "a"));
}

TEST(Presence, AStaleStatusIsDroppedAndCounted) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  site.run("a", {1, 0, 0});
  site.status("a");
  site.status("a");
  engine::StatusMessage late = site.status_of("a");
  late.number = 1;
  late.models[0].confirmed.reset();
  site.send("a", late);
  EXPECT_EQ(site.drops(Drop::kStatusStale), 1U);
  EXPECT_EQ(site.state()
                .fleet.devices.at(DeviceId("a"))
                .models.at(ModelName("bearing"))
                .reported.confirmed,
            site.manifest({1, 0, 0}))
      << "an old word overwrote a newer one";
  engine::StatusMessage other_boot = site.status_of("a");
  other_boot.boot_id ^= 1;
  site.send("a", other_boot);
  EXPECT_EQ(site.drops(Drop::kStatusStale), 2U);
}

TEST(Presence, StatusesAreAcknowledgedByNumberAfterTheyAreStored) {
  Site site;
  site.join("a");
  site.pass(300ms);
  std::vector<engine::AckMessage> acks;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) acks.push_back(ack->ack);
  };
  site.status("a");
  site.status("a");
  site.pass(500ms);
  ASSERT_FALSE(acks.empty());
  EXPECT_EQ(acks.back().status_number, 2U);
  EXPECT_EQ(acks.back().boot_id, site.device("a").boot_id);
}

TEST(Identity, TwoBootsUnderOneIdRaiseAnAlert) {
  Site site;
  site.join("a");
  for (int i = 0; i < 8; ++i) {
    site.device("a").boot_id ^= 0xff00;
    site.hello("a");
  }
  bool firing = false;
  for (const auto& [key, track] : site.state().telemetry.alerts) {
    firing =
        firing || (key.kind == monitoring::AlertKind::kDuplicateIdentity && key.subject == "a" &&
                   track.newest->state == monitoring::AlertState::kFiring);
  }
  EXPECT_TRUE(firing);
  // New keys shut the other one out.
  ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId("a")}).ok());
  for (const auto& [key, track] : site.state().telemetry.alerts) {
    EXPECT_EQ(track.newest->state, monitoring::AlertState::kResolved);
  }
}

TEST(Identity, AnHonestDeviceThatRebootsOftenDoesNot) {
  Site site;
  site.join("a");
  for (int i = 0; i < 20; ++i) {
    site.reboot("a");
    site.hello("a");
  }
  EXPECT_TRUE(site.state().telemetry.alerts.empty());
}

// amazon-freertos#3005: a lost notification means that nothing ever starts.
TEST(Goals, AreSaidAgainUntilTheDeviceHasSeenThem) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(1s);
  const uint64_t first = site.goal("a")->counter;
  // The goal was lost; a status shows the old counter.
  int said = 0;
  site.on_said = [&](const engine::Effect& effect) {
    if (std::holds_alternative<engine::PublishGoal>(effect)) ++said;
  };
  site.status("a");
  EXPECT_EQ(said, 1);
  EXPECT_EQ(site.goal("a")->counter, first) << "the same goal, not a newer one";
  // A reboot has a new nonce: a newer goal.
  site.reboot("a");
  site.hello("a");
  EXPECT_GT(site.goal("a")->counter, first);
  EXPECT_EQ(site.goal("a")->nonce, site.device("a").nonce);
  EXPECT_EQ(site.goal("a")->models.at(0).candidate, site.manifest({1, 0, 0}));
}

// A retained goal is said again after a reconnect: the counter is what a device tells goals apart
// by, so the same counter must mean the same words.
TEST(Goals, OneCounterNeverHasTwoContents) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join("a");
  site.run("a", {1, 0, 0});
  std::map<uint64_t, engine::GoalMessage> said;
  site.on_said = [&](const engine::Effect& effect) {
    const auto* goal = std::get_if<engine::PublishGoal>(&effect);
    if (goal == nullptr) return;
    const auto [first, added] = said.emplace(goal->goal.counter, goal->goal);
    if (added) return;
    EXPECT_EQ(first->second.models, goal->goal.models) << "goal " << goal->goal.counter;
    EXPECT_EQ(first->second.lease_s, goal->goal.lease_s) << "goal " << goal->goal.counter;
    EXPECT_EQ(first->second.nonce, goal->goal.nonce) << "goal " << goal->goal.counter;
  };
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(1s);
  site.pass(20s);  // the lease runs down
  site.status("a");
  site.connect_broker();
  site.restart();
  site.hello("a");
  site.obey("a");
  // It leaves the release by itself: the goal that names what it has confirmed is another one.
  const uint64_t before = site.goal("a")->counter;
  site.fall_back("a", {1, 0, 0}, "STARTS_EXHAUSTED");
  EXPECT_GT(site.goal("a")->counter, before);
  EXPECT_EQ(site.goal("a")->models.at(0).confirmed, site.manifest({1, 0, 0}));
  site.connect_broker();
  site.restart();
  EXPECT_GE(said.size(), 4U);
  site.check_reload();
}

// The end of the one before was never seen: what the new broker retains is nothing, and who was
// there is not.
TEST(Sessions, AnotherSessionWithTheBrokerIsANewOne) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  ASSERT_TRUE(engine::is_online(site.state(), DeviceId("a")));
  int sites = 0;
  site.on_said = [&](const engine::Effect& effect) {
    sites += std::holds_alternative<engine::PublishSite>(effect) ? 1 : 0;
  };
  site.connect_broker();
  EXPECT_EQ(sites, 1);
  EXPECT_FALSE(engine::is_online(site.state(), DeviceId("a")));
  site.status("a");
  EXPECT_TRUE(engine::is_online(site.state(), DeviceId("a")));
  site.pass(500ms);
  EXPECT_EQ(sites, 1) << "the same session is no news";
}

TEST(Goals, ALeaseThatRanDownUnseenIsGivenAnew) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(1s);
  const engine::GoalMessage first = *site.goal("a");
  site.pass(6min, 1s);
  site.status("a");
  EXPECT_GT(site.goal("a")->counter, first.counter);
  EXPECT_LT(site.goal("a")->lease_s, first.lease_s / 2);
}

// Its words are authenticated with another key from now on.
TEST(Goals, ReenrolmentMakesTheNextOneAnother) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(1s);
  site.obey("a");
  const uint64_t before = site.goal("a")->counter;
  ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId("a")}).ok());
  site.enroll("a", 77);
  site.accept("a");
  EXPECT_GT(site.goal("a")->counter, before);
}

TEST(Goals, OutliveACrashBetweenCommitAndPublish) {
  Site site;
  site.push({1, 0, 0});
  site.join("a");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.crash_after_next_commit();
  site.pass(200ms);
  ASSERT_NE(site.goal("a"), nullptr) << "said again when the broker was connected";
  EXPECT_EQ(site.goal("a")->models.at(0).candidate, site.manifest({1, 0, 0}));
  site.hello("a");
  site.obey("a");
  EXPECT_EQ(site.newest("a").state, DeploymentState::kConfirmed);
}

}  // namespace
}  // namespace covey::test
