// SPDX-License-Identifier: Apache-2.0
// Power cuts and failing flash, exhaustively for some geometries and at random for all. What is
// asserted: power_life.hpp. More of the same: ./dev sim --power-cuts.
#include <gtest/gtest.h>

#include "tests/unit/agent/power_life.hpp"

namespace covey::agent_test {
namespace {

DeviceOptions options_for(const covey_host_geometry_t& geometry) {
  DeviceOptions options;
  options.geometry = geometry;
  options.journal_bytes = 2 * std::max<uint32_t>(512, geometry.erase_unit_bytes);
  options.slot_bytes = 10U << 10U;
  options.receive_bytes = 1024;
  options.times.probation_inferences = 3;
  options.times.report_interval_ms = 1'000'000;
  return options;
}

struct FlashAndChunks {
  covey_host_geometry_t geometry;
  uint32_t chunk_bytes;
};

class PowerCuts : public ::testing::TestWithParam<FlashAndChunks> {};

TEST_P(PowerCuts, AtEveryOperationOfALife) {
  const LifeStory whole =
      live({.geometry = GetParam().geometry, .chunk_bytes = GetParam().chunk_bytes});
  ASSERT_EQ(whole.problem, "");
  int cuts = 0;
  uint32_t seed = 1;
  for (uint64_t cut = 1; cut <= whole.operations; ++cut) {
    for (int tear = COVEY_HOST_TEAR_NOTHING; tear <= COVEY_HOST_TEAR_ECC; ++tear) {
      ++seed;
      Accidents accidents{.geometry = GetParam().geometry,
                          .chunk_bytes = GetParam().chunk_bytes,
                          .tear = static_cast<covey_host_tear_t>(tear),
                          .seed = seed,
                          .cut_at = cut};
      if (seed % 3 != 0) accidents.further = {1 + seed % 23};
      const LifeStory story = live(accidents);
      cuts += story.cuts;
      ASSERT_EQ(story.problem, "") << describe(accidents);
    }
  }
  RecordProperty("operations", static_cast<int>(whole.operations));
  RecordProperty("cuts", cuts);
  std::printf("%llu flash operations, %d cuts\n", static_cast<unsigned long long>(whole.operations),
              cuts);
  EXPECT_GE(cuts, static_cast<int>(whole.operations) * 6);
}

INSTANTIATE_TEST_SUITE_P(Geometries, PowerCuts,
                         ::testing::Values(FlashAndChunks{{32U << 10U, 512, 8, 0xff}, 512},
                                           FlashAndChunks{{40U << 10U, 4096, 64, 0xff}, 512},
                                           FlashAndChunks{{32U << 10U, 1024, 32, 0x00}, 512},
                                           FlashAndChunks{{32U << 10U, 512, 8, 0xff}, 128}));

TEST(PowerCuts, AtRandomInEveryGeometryWithFailuresBetween) {
  const LifeStory whole = live({});
  int cuts = 0;
  uint32_t lives = 0;
  for (uint32_t seed = 1; cuts < 20'000; ++seed, ++lives) {
    const Accidents accidents = random_accidents(seed, whole.operations);
    const LifeStory story = live(accidents);
    cuts += story.cuts;
    ASSERT_EQ(story.problem, "") << "seed " << seed << ": " << describe(accidents);
  }
  std::printf("%u lives, %d cuts\n", lives, cuts);
}

TEST(PowerFaults, FailingOperationsNeverLeaveTheDeviceWithoutAModel) {
  const Release first = make_release({.model_bytes = 2500});
  const Release second = make_release({.version = "1.1.0", .seed = 2, .model_bytes = 2500});
  for (uint64_t fail = 1; fail <= 120; ++fail) {
    SCOPED_TRACE(fail);
    Bench bench(options_for({32U << 10U, 512, 8, 0xff}));
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(first));
    bench.device.flash.fail_at = bench.device.flash.operations + fail;
    bench.gateway.add(second);
    bench.gateway.want({.candidate = &second, .attempt = 2}, 10'000);
    bench.run(400'000, 50);
    EXPECT_NE(bench.device.active(), "");
    EXPECT_EQ(bench.device.flash.written_twice, 0U);
    ASSERT_TRUE(bench.reboot());
    bench.run(10'000, 50);
    EXPECT_NE(bench.device.active(), "");
  }
}

TEST(PowerFaults, UnreadableJournalHalfCostsStateNotTheDevice) {
  const Release first = make_release({.model_bytes = 2500});
  Bench bench(options_for({32U << 10U, 512, 8, 0xff}));
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(first));
  // An ECC error in the last record: the one before it holds.
  const uint32_t next = bench.device.agent.journal.next;
  bench.device.flash.unreadable_from = next - 64;
  bench.device.flash.unreadable_to = bench.device.flash.unreadable_from + 1;
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.counters().bugs, 0U);
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.device.active(), first.digest);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

TEST(PowerFaults, GarbageInFlashIsNoModel) {
  const Release first = make_release({.model_bytes = 2500});
  Bench bench(options_for({32U << 10U, 512, 8, 0xff}));
  for (uint32_t i = 0; i < 32U << 10U; ++i) {
    bench.device.flash.bytes[i] = static_cast<uint8_t>(i * 2654435761U >> 24U);
  }
  bench.bring_up();
  EXPECT_EQ(bench.device.active(), "");
  EXPECT_TRUE(bench.deploy(first));
}

}  // namespace
}  // namespace covey::agent_test
