// SPDX-License-Identifier: Apache-2.0
// What an operator sets on devices travels in their goals, a few at a time.
#include <gtest/gtest.h>

#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

engine::EngineConfig every(uint32_t seconds, uint32_t sample_scale = 0) {
  engine::EngineConfig config = quick_config();
  config.settings = {seconds, sample_scale};
  return config;
}

TEST(Settings, NothingIsOrderedThatNobodySet) {
  Site site;
  site.push({1, 0, 0});
  site.join("d0");
  site.run("d0", {1, 0, 0});
  site.pass(5s);
  EXPECT_EQ(site.goal("d0"), nullptr);
}

TEST(Settings, ADeviceIsToldWhenItSaysHello) {
  Site site(every(30, 1000));
  site.join("d0");
  EXPECT_EQ(site.goal("d0"), nullptr) << "not in the same turn: thousands say hello at once";
  site.pass(100ms);
  ASSERT_NE(site.goal("d0"), nullptr);
  EXPECT_EQ(site.goal("d0")->settings, (DeviceSettings{30, 1000}));
  const uint64_t counter = site.goal("d0")->counter;
  site.device("d0").goal_counter = counter;
  site.device("d0").site_epoch = site.goal("d0")->site_epoch;
  site.hello("d0");
  site.pass(5s);
  EXPECT_EQ(site.goal("d0")->counter, counter) << "once";
  site.check_reload();
}

TEST(Settings, AChangeMakesAnotherGoalAndWorkGoesOn) {
  Site site(every(30));
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join("d0");
  site.run("d0", {1, 0, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(1s);
  site.say("d0", "DOWNLOADING");
  const engine::GoalMessage before = *site.goal("d0");
  ASSERT_TRUE(before.models.front().candidate.has_value());
  site.restart(every(60));
  EXPECT_EQ(site.goal("d0")->counter, before.counter) << "the same goal is said as it was";
  EXPECT_EQ(site.goal("d0")->settings, before.settings);
  site.hello("d0");
  site.pass(100ms);
  EXPECT_GT(site.goal("d0")->counter, before.counter);
  EXPECT_EQ(site.goal("d0")->settings.report_interval_s, 60U);
  EXPECT_EQ(site.goal("d0")->models.front().candidate, before.models.front().candidate);
  site.obey("d0");
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  // And back to what the firmware says.
  site.restart(quick_config());
  site.hello("d0");
  site.pass(100ms);
  EXPECT_EQ(site.goal("d0")->settings, DeviceSettings{});
  site.check_reload();
}

TEST(Settings, AFleetIsToldBitByBit) {
  constexpr int kFleet = 120;
  Site site(every(30));
  site.join_many("d", kFleet);
  size_t told = 0;
  size_t most = 0;
  site.on_said = [&](const engine::Effect& effect) {
    told += std::holds_alternative<engine::PublishGoal>(effect) ? 1 : 0;
  };
  for (int tick = 0; tick < 5; ++tick) {
    const size_t before = told;
    site.pass(100ms);
    most = std::max(most, told - before);
  }
  EXPECT_EQ(told, static_cast<size_t>(kFleet));
  EXPECT_EQ(most, kSettingsOrderedPerTick);
}

TEST(Settings, WhoLeftIsToldWhenItIsBack) {
  Site site(every(30));
  site.join("d0");
  site.leave("d0");
  site.pass(1s);
  EXPECT_EQ(site.goal("d0"), nullptr);
  site.reboot("d0");
  site.hello("d0");
  site.pass(100ms);
  ASSERT_NE(site.goal("d0"), nullptr);
  EXPECT_EQ(site.goal("d0")->nonce, site.device("d0").nonce);
}

}  // namespace
}  // namespace covey::test
