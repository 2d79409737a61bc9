// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/cohort.hpp"

#include <gtest/gtest.h>

namespace covey {
namespace {

TEST(CohortTest, IsKeptAsItsText) {
  const RolloutName rollout("r-1");
  EXPECT_EQ(Cohort().text(), "fleet");
  EXPECT_EQ(Cohort::canary(rollout).text(), "r-1/canary");
  EXPECT_EQ(Cohort::control(rollout).text(), "r-1/control");
  for (const Cohort& cohort : {Cohort(), Cohort::canary(rollout), Cohort::control(rollout)}) {
    EXPECT_EQ(parse_cohort(cohort.text()), cohort);
  }
  for (const char* none : {"", "canary", "/canary", "r-1", "r-1/canary/canary", "A b/control"}) {
    EXPECT_FALSE(parse_cohort(none)) << none;
  }
}

}  // namespace
}  // namespace covey
