// SPDX-License-Identifier: Apache-2.0
// The levels of the accuracy gate over a grid of rollouts: the long form of the properties in
// accuracy_test.cpp, with its rates printed.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/unit/monitoring/simulated_rollout.hpp"

namespace covey::monitoring {
namespace {

using testing::rollout_rates;
using testing::RolloutOptions;
using testing::RolloutRates;

constexpr int kRuns = 400;

RolloutRates cell(const char* what, const RolloutOptions& options, uint64_t seed) {
  const RolloutRates rates = rollout_rates(options, kRuns, seed);
  std::printf(
      "%-9s %.0f %% sd %.0f pp, margin %.0f pp: PASS %5.1f %% FAIL %5.1f %%, %5.0f labels, "
      "%+.2f pp\n",
      what, 100 * options.control, 100 * options.device_sd,
      100 * options.gate.non_inferior_by.as_double(), 100 * rates.pass, 100 * rates.fail,
      rates.labels, 100 * rates.difference);
  return rates;
}

TEST(AccuracyLevels, hold_at_the_boundary_and_for_equal_releases) {
  uint64_t seed = 100;
  for (const double control : {0.8, 0.9, 0.95, 0.97, 0.99}) {
    for (const double sd : {0.0, 0.03}) {
      for (const int32_t margin : {2, 5}) {
        RolloutOptions options{.labels = 200, .control = control, .device_sd = sd, .windows = 12};
        options.look_every = 0.05;
        options.gate.non_inferior_by = Ratio::percent(margin);
        options.difference = -margin / 100.0;
        const RolloutRates boundary = cell("boundary", options, ++seed);
        EXPECT_LE(boundary.pass, 0.05);
        EXPECT_LE(boundary.fail, 0.07);  // 5 % and twice the standard error
        options.difference = 0;
        EXPECT_LE(cell("equal", options, ++seed).fail, 0.02);
      }
    }
  }
}

TEST(AccuracyLevels, hold_when_the_site_changes_while_the_canary_grows) {
  uint64_t seed = 200;
  for (const double step : {-0.1, -0.05, 0.05, 0.09}) {
    RolloutOptions options{.canaries = 50, .controls = 150, .labels = 200, .device_sd = 0.03};
    options.step = step;
    options.rising = true;
    EXPECT_LE(cell("equal", options, ++seed).fail, 0.02) << step;
    options.difference = -0.04;
    EXPECT_LE(cell("-4 pp", options, ++seed).pass, 0.05) << step;
    options.difference = 0;
    options.first_verdict_ends = false;
    EXPECT_NEAR(cell("whole", options, ++seed).difference, 0, 0.003) << step;
  }
}

}  // namespace
}  // namespace covey::monitoring
