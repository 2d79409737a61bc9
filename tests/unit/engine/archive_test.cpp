// SPDX-License-Identifier: Apache-2.0
// What a start loads does not grow with what the site has ever done; what people and rollbacks ask
// for is all there.
#include <gtest/gtest.h>

#include "core/limits.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

engine::EngineConfig short_memory() {
  engine::EngineConfig config = quick_config();
  config.rollback_window = 1min;
  return config;
}

class Archive : public testing::Test {
 protected:
  Archive() {
    site.push({1, 0, 0});
    site.join_many("d", 3);
    for (int i = 0; i < 3; ++i) site.run("d" + std::to_string(i), {1, 0, 0});
  }
  void keep_in_touch(Millis duration) {
    for (Millis gone{0}; gone < duration; gone += 10s) {
      for (int i = 0; i < 3; ++i) site.status("d" + std::to_string(i));
      site.pass(10s, 500ms);
    }
  }
  void roll_out(uint16_t minor) {
    site.push({1, minor, 0});
    const std::string name = "r" + std::to_string(minor);
    ASSERT_TRUE(site.roll_out(simple_plan(name, "1." + std::to_string(minor) + ".0")).ok());
    site.pass(1s);
    site.obey_all();
    site.pass(2s);
    ASSERT_EQ(site.rollout_text(name), "SUCCEEDED all=PASSED");
  }
  engine::StateCounts counts(const std::string& name) const {
    return engine::count_deployments(site.state(), RolloutName(name), 0);
  }
  size_t stored() { return site.store().load({})->deployments.size(); }
  Site site{short_memory()};
};

TEST_F(Archive, AStartLoadsTheNewestOfEachDeviceWhateverCameBefore) {
  for (uint16_t minor = 1; minor <= 5; ++minor) {
    roll_out(minor);
    keep_in_touch(90s);
  }
  EXPECT_EQ(site.store().deployments().size(), 15U) << "nothing is lost";
  EXPECT_EQ(stored(), 3U);
  EXPECT_EQ(site.state().rollouts.deployments.size(), 3U);
  for (uint16_t minor = 1; minor <= 5; ++minor) {
    EXPECT_EQ(counts("r" + std::to_string(minor)), (engine::StateCounts{{"CONFIRMED", 3}}));
  }
  site.check_reload();
  site.restart();
  EXPECT_EQ(counts("r1"), (engine::StateCounts{{"CONFIRMED", 3}}));
  EXPECT_EQ(site.newest("d0").release.version, (Version{1, 5, 0}));
  const auto reader = *site.store().reader();
  EXPECT_EQ(reader->deployments(RolloutName("r2"), 0, 10)->size(), 3U);
}

TEST_F(Archive, RolloutsThatAreOverForLongGo) {
  engine::EngineConfig config = short_memory();
  config.history_retention = 30min;
  site.restart(config);
  for (int i = 0; i < 3; ++i) site.hello("d" + std::to_string(i));
  keep_in_touch(1min);  // its grace is over
  for (uint16_t minor = 1; minor <= 3; ++minor) {
    roll_out(minor);
    keep_in_touch(90s);
  }
  keep_in_touch(3h);
  // The newest attempts, and what devices that come are to have, are of it.
  EXPECT_EQ(site.state().rollouts.by_name.size(), 3U) << "assignments name them";
  ASSERT_EQ(site.store().deployments().size(), 9U);
  for (uint16_t minor = 4; minor <= 12; ++minor) {
    roll_out(minor);
    keep_in_touch(90s);
  }
  keep_in_touch(3h);
  const auto& rollouts = site.state().rollouts;
  EXPECT_EQ(rollouts.assignments.size(), kAssignmentsPerTargetMax);
  EXPECT_EQ(rollouts.by_name.size(), kAssignmentsPerTargetMax);
  EXPECT_FALSE(rollouts.by_name.contains(RolloutName("r1")));
  EXPECT_TRUE(counts("r1").empty());
  const auto reader = *site.store().reader();
  EXPECT_TRUE(reader->deployments(RolloutName("r1"), 0, 10)->empty());
  EXPECT_TRUE(site.events("r1").empty());
  EXPECT_FALSE(site.events("r12").empty());
  site.check_reload();
  site.restart(config);
  EXPECT_EQ(site.state().rollouts.by_name.size(), kAssignmentsPerTargetMax);
}

TEST_F(Archive, WhatCanStillBeRolledBackStays) {
  roll_out(1);
  EXPECT_FALSE(site.rollout("r1").progress.settled);
  roll_out(2);
  keep_in_touch(20s);
  EXPECT_EQ(site.state().rollouts.deployments.size(), 6U) << "r1's window is open";
  ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("r2"), ""}).ok());
  site.pass(1s);
  site.obey_all();
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r2"), "ROLLED_BACK(OPERATOR) all=PASSED");
  EXPECT_EQ(engine::count_rollbacks(site.state(), RolloutName("r2")),
            (engine::StateCounts{{"CONFIRMED", 3}}));
  keep_in_touch(90s);
  EXPECT_EQ(site.state().rollouts.deployments.size(), 3U);
  EXPECT_EQ(engine::count_rollbacks(site.state(), RolloutName("r2")),
            (engine::StateCounts{{"CONFIRMED", 3}}));
  site.check_reload();
}

// A longer window in the configuration of the next start: the deployments are history all the same.
TEST_F(Archive, ASettledRolloutIsNotRolledBackUnderALongerWindow) {
  roll_out(1);
  keep_in_touch(90s);
  ASSERT_TRUE(site.rollout("r1").progress.settled);
  site.restart(quick_config());
  const auto refused = site.command(engine::RollBackRollout{RolloutName("r1"), ""});
  EXPECT_EQ(refused.error().reason, "ROLLOUT_ENDED");
}

TEST_F(Archive, EarlierAttemptsOfARolloutLeaveAndAreCountedOnce) {
  site.push({1, 1, 0});
  PlanDocument plan = simple_plan("r1", "1.1.0");
  plan.gates = {failures_gate("100%")};
  plan.attempt.retries = 3;
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  for (int attempt = 0; attempt < 3; ++attempt) {
    site.say("d0", "FAILED", "FLASH");
    site.pass(15s, 500ms);
  }
  EXPECT_EQ(site.attempts("d0"), 4U);
  size_t held = 0;
  for (const auto& [number, d] : site.state().rollouts.deployments)
    held += d.device.str() == "d0" ? 1 : 0;
  EXPECT_EQ(held, 1U);
  uint32_t devices = 0;
  for (const auto& [state, count] : counts("r1")) devices += count;
  EXPECT_EQ(devices, 3U);
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
