// SPDX-License-Identifier: Apache-2.0
// Deadlines of one step, and limits that come from the configuration.
#include <gtest/gtest.h>

#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

engine::EngineConfig config() {
  engine::EngineConfig config = quick_config();
  config.goal_lease = 60s;
  config.probation_deadline = 90s;
  config.pending_max = 3;
  config.offline_after = 1h;
  return config;
}

PlanDocument plan() {
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.on_fail = "PAUSE";
  plan.attempt = {.deadline = "24h", .retries = 0, .backoff = "10s"};
  plan.stages[0].max_in_flight = 1;
  return plan;
}

class Lease : public testing::Test {
 protected:
  Lease() : site(config()) {
    site.push({1, 0, 0});
    site.push({1, 1, 0});
    site.join_many("d", 2);
    for (const char* id : {"d0", "d1"}) site.run(id, {1, 0, 0});
  }
  // Of the two devices the one that has its offer now.
  std::string offered() const { return in_flight(site.newest("d0").state) ? "d0" : "d1"; }
  Site site;
};

TEST_F(Lease, AnOfferThatNobodyTakesMakesRoomForTheNext) {
  ASSERT_TRUE(site.roll_out(plan()).ok());
  site.pass(1s);
  const std::string sleeper = offered();
  const std::string other = sleeper == "d0" ? "d1" : "d0";
  EXPECT_EQ(site.newest(other).state, DeploymentState::kQueued);
  site.pass(58s, 1s);
  EXPECT_EQ(site.newest(sleeper).state, DeploymentState::kOffered);
  site.status(other);
  site.restart();  // the lease is stored
  for (const char* id : {"d0", "d1"}) site.hello(id);
  site.pass(22s, 1s);
  EXPECT_EQ(site.newest(sleeper).state, DeploymentState::kTimedOut);
  EXPECT_EQ(site.newest(sleeper).reason, "OFFER_LAPSED");
  EXPECT_FALSE(site.goal(sleeper)->models.at(0).candidate.has_value()) << "withdrawn";
  EXPECT_EQ(site.newest(other).state, DeploymentState::kOffered);
  // It says nothing about the release.
  site.obey(other);
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  site.check_reload();
}

TEST_F(Lease, WorkThatBeganHasTheWholeAttempt) {
  ASSERT_TRUE(site.roll_out(plan()).ok());
  site.pass(1s);
  const std::string id = offered();
  site.say(id, "DOWNLOADING");
  site.pass(30min, 1s);
  EXPECT_EQ(site.newest(id).state, DeploymentState::kDownloading);
}

TEST_F(Lease, AProbationWithoutAProofEnds) {
  ASSERT_TRUE(site.roll_out(plan()).ok());
  site.pass(1s);
  const std::string id = offered();
  site.say(id, "DOWNLOADING");
  site.pass(5min, 1s);
  site.say(id, "PROBATION_OK");
  site.pass(89s, 1s);
  EXPECT_EQ(site.newest(id).state, DeploymentState::kProbation);
  site.pass(2s, 1s);
  EXPECT_EQ(site.newest(id).state, DeploymentState::kTimedOut);
  EXPECT_EQ(site.newest(id).reason, "PROBATION_DEADLINE");
  site.pass(1s);
  EXPECT_EQ(site.rollout_text("r"), "PAUSED(GATE_FAILED) all=FAILED");
}

TEST_F(Lease, OnlySoManyDevicesWaitForAcceptance) {
  for (int i = 0; i < 5; ++i) site.enroll("new" + std::to_string(i));
  EXPECT_EQ(site.state().fleet.devices.size(), 2U + 3U);
  // One changes hands: a flood does not keep a newcomer out.
  EXPECT_EQ(site.drops(engine::Drop::kEnrollLimit), 1U);
  site.accept("new1");
  site.enroll("new4");
  EXPECT_EQ(site.state().fleet.devices.size(), 2U + 4U);
}

}  // namespace
}  // namespace covey::test
