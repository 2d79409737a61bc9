// SPDX-License-Identifier: Apache-2.0
// Transfers are admitted by how long their chunks would wait for the link to the broker.
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/engine/queries/waits.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::ChunkResult;

class Flow : public testing::Test {
 protected:
  Flow() {
    site.push({1, 1, 0});
    site.join_many("d", 30);
  }
  // The link sends `per_s` of the chunks that wait, for `time`, and `waiting` still wait.
  void send(uint64_t per_s, uint64_t waiting, Millis time) {
    for (Millis passed{0}; passed < time; passed += 100ms) {
      site.chunks.waiting = waiting;
      site.chunks.sent += per_s / 10;
      site.pass(100ms);
    }
  }
  void roll_out() { ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok()); }
  size_t offered() {
    size_t count = 0;
    for (const auto& [number, deployment] : site.state().rollouts.deployments) {
      count += deployment.state != DeploymentState::kQueued ? 1 : 0;
    }
    return count;
  }
  engine::PublishChunks fetch(const std::string& id) {
    const auto effects = site.send(
        id, engine::FetchMessage{site.manifest({1, 1, 0}), 0, 0b1111, site.newest(id).attempt});
    const auto* chunks = find<engine::PublishChunks>(effects);
    return chunks == nullptr ? engine::PublishChunks{} : *chunks;
  }
  Site site;
};

TEST_F(Flow, TheRateIsMeasuredWhileSomeWait) {
  send(1'000, 0, 5s);
  EXPECT_EQ(engine::chunks_per_s(site.state()), 4'000) << "no measurement: nothing waited";
  send(1'000, 500, 5s);
  EXPECT_NEAR(engine::chunks_per_s(site.state()), 1'000, 1);
  EXPECT_EQ(engine::chunk_wait(site.state()), 500ms);
  send(200, 500, 5s);
  EXPECT_NEAR(engine::chunks_per_s(site.state()), 200, 1);
  send(0, 500, 5s);
  EXPECT_NEAR(engine::chunks_per_s(site.state()), 50, 1) << "a broker that takes nothing";
}

TEST_F(Flow, FewerBeginWhileTheLinkHasEnoughToDo) {
  site.join_many("e", 270);
  send(1'000, 900, 5s);
  roll_out();
  send(1'000, 900, 5s);
  EXPECT_EQ(offered(), 32U) << "never less";
  const std::vector<engine::Wait> waits = engine::waits_of(site.state(), site.rollout("r"));
  const auto link = std::find_if(waits.begin(), waits.end(),
                                 [](const engine::Wait& wait) { return wait.what == "LINK"; });
  ASSERT_NE(link, waits.end());
  EXPECT_EQ(link->devices_total, 268U);
  EXPECT_EQ(link->explanation.find("32 devices are downloading"), 0U) << link->explanation;
  EXPECT_NE(link->explanation.find("1000 leave in a second"), std::string::npos);
  send(1'000, 200, 3s);
  EXPECT_EQ(offered(), 32U) << "busy, and not too busy";
  send(1'000, 0, 1s);
  EXPECT_EQ(offered(), 32U + 160U) << "some more each time that nobody waits";
  send(1'000, 0, 1s);
  EXPECT_EQ(offered(), 300U);
}

TEST_F(Flow, WhoWouldWaitTooLongIsToldWhenItsTurnWillCome) {
  roll_out();
  send(1'000, 100, 5s);
  EXPECT_EQ(fetch("d0").result, ChunkResult::kOk);
  send(1'000, 900, 100ms);
  for (uint32_t i = 1; i < 30; ++i) {
    const engine::PublishChunks busy = fetch("d" + std::to_string(i));
    EXPECT_EQ(busy.result, ChunkResult::kBusy);
    EXPECT_EQ(busy.retry_after_ms, 900 + 4 * i);
  }
  send(1'000, 0, 100ms);
  EXPECT_EQ(fetch("d1").result, ChunkResult::kOk);
}

// Between two looks at the link, too: what was given since counts as waiting.
TEST_F(Flow, ABurstBetweenTwoTicksIsSeen) {
  roll_out();
  send(50, 1, 10s);  // a slow one: 25 chunks are half a second
  size_t given = 0;
  for (int i = 0; i < 30; ++i) {
    given += fetch("d" + std::to_string(i)).result == ChunkResult::kOk ? 1 : 0;
  }
  EXPECT_EQ(given, 7U);
}

// What the gateway means and what it knows are two things.
TEST_F(Flow, AnOfferIsReceivedWhenTheDeviceShowsItsGoal) {
  roll_out();
  site.pass(200ms);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kOffered);
  EXPECT_FALSE(engine::was_received(site.state().fleet, site.newest("d0")));
  std::vector<engine::Wait> waits = engine::waits_of(site.state(), site.rollout("r"));
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(waits[0].explanation.find("at OFFERED, and has not shown its goal yet"), 0U);
  site.device("d0").goal_counter = site.goal("d0")->counter;
  site.status("d0");
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kOffered);
  EXPECT_TRUE(engine::was_received(site.state().fleet, site.newest("d0")));
  EXPECT_FALSE(engine::was_received(site.state().fleet, site.newest("d1")));
}

}  // namespace
}  // namespace covey::test
