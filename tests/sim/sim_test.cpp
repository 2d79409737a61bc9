// SPDX-License-Identifier: Apache-2.0
// Hundreds of seeds of the deterministic simulation, and the proof that its checkers find faults.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/sim/world.hpp"

namespace covey::sim {
namespace {

uint64_t seeds_from_environment(uint64_t fallback) {
  const char* text = std::getenv("COVEY_SIM_SEEDS");
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

class SimulationSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SimulationSeeds, KeepEveryInvariant) {
  constexpr uint64_t kBlocks = 10;
  const uint64_t per_block = seeds_from_environment(COVEY_SIM_SEEDS) / kBlocks;
  uint64_t rollouts = 0;
  uint64_t inferences = 0;
  uint64_t labels = 0;
  for (uint64_t i = 0; i < per_block; ++i) {
    const uint64_t seed = 1 + GetParam() * per_block + i;
    const WorldResult result = World({.seed = seed}).run();
    ASSERT_FALSE(result.violation) << *result.violation << "\nreplay: ./dev sim --seed " << seed;
    rollouts += result.rollouts;
    inferences += result.inferences;
    labels += result.labels;
  }
  // A simulation in which nothing happens proves nothing.
  EXPECT_GT(rollouts, per_block);
  EXPECT_GT(inferences, per_block * 100);
  EXPECT_GT(labels, per_block * 10);
}
INSTANTIATE_TEST_SUITE_P(Blocks, SimulationSeeds, ::testing::Range<uint64_t>(0, 10));

TEST(Simulation, SameSeedSameRun) {
  const WorldResult first = World({.seed = 7}).run();
  const WorldResult second = World({.seed = 7}).run();
  EXPECT_EQ(first.messages, second.messages);
  EXPECT_EQ(first.inferences, second.inferences);
  EXPECT_EQ(first.power_cuts, second.power_cuts);
  EXPECT_EQ(first.resets, second.resets);
}

TEST(Broken, SpeakingBeforePersistingIsFound) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    if (World({.seed = seed, .speak_before_persist = true}).run().violation) return;
  }
  FAIL() << "20 seeds did not find a gateway that speaks before it persists";
}

}  // namespace
}  // namespace covey::sim
