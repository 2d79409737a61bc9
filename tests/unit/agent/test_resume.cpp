// SPDX-License-Identifier: Apache-2.0
// What need not travel: chunks that are in the slot already, and those that the confirmed model
// has.
#include <gtest/gtest.h>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

TEST(Resume, ResumesAfterRebootWithoutFetchingWhatItHas) {
  DeviceOptions options;
  options.geometry.erase_unit_bytes = 512;  // a chunk is a unit: not even one is lost
  Bench bench(options);
  bench.bring_up();
  const Release release = make_release({.model_bytes = 8000});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  bench.gateway.chunks_left = 11;
  bench.run(1000);
  ASSERT_EQ(bench.device.counters().chunks_fetched, 11U);
  const uint32_t total = (release.manifest.image_size_bytes() + 511) / 512;
  ASSERT_TRUE(bench.reboot());
  bench.gateway.chunks_left = -1;
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.gateway.chunks_sent, total);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

TEST(Resume, ChunksOfTheConfirmedModelAreCopied) {
  Bench bench;
  bench.bring_up();
  const Release first = make_release({.model_bytes = 8000, .same_from = 7000});
  const Release tuned =
      make_release({.version = "1.0.1", .seed = 9, .model_bytes = 8000, .same_from = 7000});
  ASSERT_TRUE(bench.deploy(first));
  bench.gateway.chunks_sent = 0;
  ASSERT_TRUE(bench.deploy(tuned, 2));
  EXPECT_LE(bench.gateway.chunks_sent, 5U);
  EXPECT_GE(bench.device.counters().chunks_copied, 11U);
}

}  // namespace
}  // namespace covey::agent_test
