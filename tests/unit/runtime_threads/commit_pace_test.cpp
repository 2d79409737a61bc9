// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/commit_pace.hpp"

#include <gtest/gtest.h>

namespace covey::runtime {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMost = 20'000;

// A disk whose commits cost `flush` and `row` for each row, asked for as many as the pace allows.
CommitPace after_commits(CommitPace::Duration flush, CommitPace::Duration row, int commits = 60) {
  CommitPace pace(25ms, kMost);
  size_t rows = 100;
  for (int i = 0; i < commits; ++i) {
    pace.observe(rows, flush + row * static_cast<int>(rows));
    rows = pace.rows();
  }
  return pace;
}

TEST(CommitPace, HoldsNobodyBackBeforeItKnowsTheDisk) {
  EXPECT_EQ(CommitPace(25ms, kMost).rows(), kMost);
}

TEST(CommitPace, ACommitTakesWhatIsWanted) {
  const CommitPace pace = after_commits(1ms, 10us);
  const auto took = 1ms + 10us * static_cast<int>(pace.rows());
  EXPECT_GT(took, 20ms);
  EXPECT_LE(took, 26ms);
}

TEST(CommitPace, AQuickDiskTakesWhatMayWaitAtMost) {
  EXPECT_EQ(after_commits(1ms, 100ns).rows(), kMost);
}

TEST(CommitPace, TheFlushOfASlowDiskIsAtMostHalfOfACommit) {
  const CommitPace pace = after_commits(400ms, 100us);
  const auto of_rows = 100us * static_cast<int>(pace.rows());
  EXPECT_GT(of_rows, 350ms);
  EXPECT_LE(of_rows, 450ms);
}

TEST(CommitPace, FollowsADiskThatBecomesSlow) {
  CommitPace pace = after_commits(1ms, 10us);
  const size_t before = pace.rows();
  for (int i = 0; i < 20; ++i)
    pace.observe(pace.rows(), 1ms + 50us * static_cast<int>(pace.rows()));
  EXPECT_LT(pace.rows(), before / 3);
  EXPECT_LE(50us * static_cast<int>(pace.rows()), 30ms);
}

TEST(CommitPace, AFlushThatBecomesSlowIsHalfOfACommit) {
  CommitPace pace = after_commits(1ms, 10us);
  for (int i = 0; i < 60; ++i) {
    pace.observe(4, 100ms);
    pace.observe(pace.rows(), 100ms + 10us * static_cast<int>(pace.rows()));
  }
  EXPECT_GT(10us * static_cast<int>(pace.rows()), 80ms);
  EXPECT_LE(10us * static_cast<int>(pace.rows()), 110ms);
}

TEST(CommitPace, AStallIsForgotten) {
  CommitPace pace = after_commits(1ms, 10us);
  const size_t before = pace.rows();
  pace.observe(before, 10s);
  for (int i = 0; i < 30; ++i)
    pace.observe(pace.rows(), 1ms + 10us * static_cast<int>(pace.rows()));
  EXPECT_GT(pace.rows(), before * 9 / 10);
}

TEST(CommitPace, SomeRowsAreAlwaysTaken) { EXPECT_EQ(after_commits(1ms, 5ms).rows(), 256u); }

}  // namespace
}  // namespace covey::runtime
