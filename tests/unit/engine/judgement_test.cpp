// SPDX-License-Identifier: Apache-2.0
// What is concluded from one window of one model.
#include "gateway/engine/telemetry/judgement.hpp"

#include <gtest/gtest.h>

namespace covey::engine {
namespace {

using monitoring::Counts;
using monitoring::DriftOutcome;

// Five devices whose histogram has moved enough for a warning by itself, not by much; or not at
// all.
monitoring::JudgedSubject subject(const std::string& name, bool moved) {
  const Counts calm(10, 4);
  const Counts shifted = {8, 6, 4, 4, 4, 4, 3, 3, 2, 2};
  return {monitoring::SubjectKind::kFeature, name, 0, Counts(10, 500),
          std::vector<Counts>(5, moved ? shifted : calm)};
}

std::vector<DriftOutcome> outcomes(size_t moved, size_t all) {
  WindowSnapshot window;
  for (const char* id : {"a", "b", "c", "d", "e"}) window.devices.emplace_back(id);
  for (size_t i = 0; i < all; ++i) {
    window.subjects.push_back(subject("f" + std::to_string(i), i < moved));
  }
  std::vector<DriftOutcome> outcomes;
  for (const SubjectVerdict& verdict : judge(window).subjects) outcomes.push_back(verdict.outcome);
  return outcomes;
}

TEST(Judgement, TenFeaturesAlarmNoMoreOftenThanOne) {
  EXPECT_EQ(outcomes(1, 1), std::vector{DriftOutcome::kWarn});
  // One of ten, at a level of 1 % each: chance would do as much.
  EXPECT_EQ(outcomes(1, 10), std::vector(10, DriftOutcome::kOk));
  EXPECT_EQ(outcomes(10, 10), std::vector(10, DriftOutcome::kWarn));
}

}  // namespace
}  // namespace covey::engine
