// SPDX-License-Identifier: Apache-2.0
// Two models on one device: apart in everything but the transfer, which takes turns.
#include <gtest/gtest.h>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

TEST(MultiModel, BothAreDeployedByOneGoal) {
  DeviceOptions options;
  options.models = {"bearing", "keyword"};
  options.geometry.size_bytes = 128U << 10U;
  Bench bench(options);
  bench.bring_up();
  const Release bearing = make_release({});
  const Release keyword = make_release({.model = "keyword", .seed = 3});
  bench.gateway.add(bearing);
  bench.gateway.add(keyword);
  bench.gateway.want(
      {{.model = "bearing", .candidate = &bearing}, {.model = "keyword", .candidate = &keyword}});
  bench.run(120'000, 100);
  EXPECT_EQ(bench.device.confirmed(0), bearing.digest);
  EXPECT_EQ(bench.device.confirmed(1), keyword.digest);

  // One is replaced, the other one goes on undisturbed.
  const Release next = make_release({.model = "keyword", .version = "1.1.0", .seed = 4});
  bench.gateway.add(next);
  bench.gateway.want({{.model = "bearing", .candidate = &bearing},
                      {.model = "keyword", .candidate = &next, .attempt = 2}});
  bench.run(120'000, 100);
  EXPECT_EQ(bench.device.confirmed(0), bearing.digest);
  EXPECT_EQ(bench.device.confirmed(1), next.digest);
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.active(0), bearing.digest);
  EXPECT_EQ(bench.device.active(1), next.digest);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

}  // namespace
}  // namespace covey::agent_test
