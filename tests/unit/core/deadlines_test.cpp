// SPDX-License-Identifier: Apache-2.0
#include "core/deadlines.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace covey {
namespace {

TEST(DeadlinesTest, NothingIsTouchedBeforeItsTime) {
  Deadlines<int> deadlines;
  deadlines.add(30ms, 3);
  deadlines.add(10ms, 1);
  deadlines.add(20ms, 2);
  std::vector<int> seen;
  const auto look = [&](int key, Millis) -> std::optional<Millis> {
    seen.push_back(key);
    return std::nullopt;
  };
  deadlines.run(9ms, 100, look);
  EXPECT_TRUE(seen.empty());
  deadlines.run(20ms, 100, look);
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
  EXPECT_EQ(deadlines.size(), 1U);
}

TEST(DeadlinesTest, TheRestComesInTheNextRun) {
  Deadlines<int> deadlines;
  for (int key = 0; key < 5; ++key) deadlines.add(1ms, key);
  size_t seen = 0;
  const auto look = [&](int, Millis) -> std::optional<Millis> {
    ++seen;
    return std::nullopt;
  };
  deadlines.run(1ms, 2, look);
  EXPECT_EQ(seen, 2U);
  deadlines.run(1ms, 2, look);
  deadlines.run(1ms, 2, look);
  EXPECT_EQ(seen, 5U);
}

TEST(DeadlinesTest, WhatIsDueAgainComesUpOnceInARun) {
  Deadlines<int> deadlines;
  deadlines.add(5ms, 1);
  std::vector<Millis> times;
  const auto look = [&](int, Millis at) -> std::optional<Millis> {
    times.push_back(at);
    return at;  // due already
  };
  deadlines.run(5ms, 100, look);
  EXPECT_EQ(times, (std::vector<Millis>{5ms}));
  deadlines.run(6ms, 100, look);
  EXPECT_EQ(times.size(), 2U);
  EXPECT_EQ(deadlines.size(), 1U);
}

}  // namespace
}  // namespace covey
