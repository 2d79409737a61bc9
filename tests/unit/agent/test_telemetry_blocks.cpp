// SPDX-License-Identifier: Apache-2.0
// What a window may have beside its counts: leaves of a tree, energy, health.
#include <gtest/gtest.h>

#include <array>

#include "tests/unit/agent/telemetry_fixture.hpp"

namespace covey::agent_test {
namespace {

class Joint : public Telemetry {
 protected:
  void SetUp() override {
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(tree));
    drain();
  }
  // Two nodes: 50 < first | second <= -10 | the rest
  const Release tree = make_release({.joint = {{0, 50, true}, {1, -10, false}}});
};

TEST_F(Joint, TheFirstNodeThatMatchesGivesTheLeaf) {
  record(51, -10);
  record(51, 0);
  record(50, -10);  // right-closed: not above
  record(0, -9);
  record(0, 100);
  record(INT16_MAX, INT16_MAX);
  record(COVEY_FEATURE_MISSING, 0);  // one of the tree's features: in no leaf
  record(51, COVEY_FEATURE_MISSING);
  drain();
  const wire::Report r = last_report(bench);
  EXPECT_EQ(r.inferences(), 8U);
  EXPECT_EQ(std::vector<uint32_t>(r.joint().begin(), r.joint().end()),
            (std::vector<uint32_t>{3, 1, 2}));
}

TEST_F(Joint, WindowsMerge) {
  bench.cable = false;
  for (int i = 0; i < 70'000; ++i) {
    record(0, static_cast<int16_t>(i % 2 == 0 ? -10 : 1));
    if (i % 1000 == 0) covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  }
  bench.cable = true;
  bench.run(400'000);
  drain();
  std::array<uint64_t, 3> sums{};
  for (const auto& [key, stream] : bench.gateway.streams) {
    for (const auto& [sequence, bytes] : stream.windows) {
      wire::Report r;
      r.ParseFromString(bytes);
      for (int i = 0; i < r.joint_size(); ++i) sums[static_cast<size_t>(i)] += r.joint(i);
    }
  }
  EXPECT_EQ(sums[0], 0U);
  EXPECT_GE(sums[1], 35'000U);
  EXPECT_EQ(sums[0] + sums[1] + sums[2], bench.device.inferred);
}

TEST_F(Telemetry, WithoutATreeOrAMeasurementThereIsNothing) {
  record(1, 1);
  drain();
  const wire::Report r = last_report(bench);
  EXPECT_EQ(r.joint_size(), 0);
  EXPECT_FALSE(r.has_energy());
  EXPECT_FALSE(r.has_health());
}

TEST_F(Telemetry, EnergyIsCountedWhereItIsMeasured) {
  for (const uint32_t energy_uj : {0U, 1U, 15U, 16U, 63U, 64U, 65'535U, 65'536U, UINT32_MAX}) {
    covey_inference_t inference{};
    inference.energy_uj = energy_uj;
    ASSERT_NE(covey_agent_record_inference(&bench.device.agent, 0, &inference), 0U);
    ++bench.device.inferred;
  }
  drain();
  const wire::Report r = last_report(bench);
  EXPECT_EQ(r.inferences(), 9U);
  EXPECT_EQ(std::vector<uint32_t>(r.energy().buckets().begin(), r.energy().buckets().end()),
            (std::vector<uint32_t>{2, 2, 1, 0, 0, 0, 1, 2}));
  EXPECT_EQ(r.energy().sum_uj(), 1U + 15 + 16 + 63 + 64 + 65'535 + 65'536 + uint64_t{UINT32_MAX});
}

TEST_F(Telemetry, HealthTravelsOnceWithTheNextWindow) {
  const auto tell = [&](const covey_health_t& health) {
    covey_agent_health(&bench.device.agent, 0, &health);
  };
  covey_health_t health{};
  health.heap_free_min_bytes = 5000;
  health.stack_used_max_bytes = 700;
  health.rejects = 2;
  tell(health);
  health = {};
  health.heap_free_min_bytes = 6000;
  health.arena_used_max_bytes = 1000;
  health.drops = 3;
  health.rejects = 1;
  tell(health);
  tell({});
  covey_agent_health(&bench.device.agent, 9, &health);  // no such model
  record(1, 1);
  drain();
  const wire::Health first = last_report(bench).health();
  EXPECT_EQ(first.heap_free_min_bytes(), 5000U);
  EXPECT_EQ(first.arena_used_max_bytes(), 1000U);
  EXPECT_EQ(first.stack_used_max_bytes(), 700U);
  EXPECT_EQ(first.drops(), 3U);
  EXPECT_EQ(first.rejects(), 3U);
  EXPECT_EQ(first.watchdog_resets(), 0U);
  record(1, 1);
  drain();
  EXPECT_FALSE(last_report(bench).has_health());
}

TEST_F(Telemetry, TheAgentCountsWatchdogResetsAndItsOwnDrops) {
  ASSERT_TRUE(bench.reboot(COVEY_START_WATCHDOG));
  bench.run(1000);
  for (int i = 0; i < 2 * 65'535 + 5; ++i) record(1, 1);  // without a poll: 5 have no room
  drain();
  uint32_t resets = 0;
  uint32_t drops = 0;
  for (const auto& [key, stream] : bench.gateway.streams) {
    for (const auto& [sequence, bytes] : stream.windows) {
      wire::Report r;
      r.ParseFromString(bytes);
      resets += r.health().watchdog_resets();
      drops += r.health().drops();
    }
  }
  EXPECT_EQ(resets, 1U);
  EXPECT_EQ(drops, 5U);
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
}

}  // namespace
}  // namespace covey::agent_test
