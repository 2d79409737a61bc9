// SPDX-License-Identifier: Apache-2.0
#include "core/nearest.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace covey {
namespace {

const std::vector<std::string> kWords = {"device", "model", "rollout", "list", "--filter", "no"};

TEST(Nearest, finds_what_was_meant) {
  EXPECT_EQ(nearest("devcie", kWords), "device");
  EXPECT_EQ(nearest("rolout", kWords), "rollout");
  EXPECT_EQ(nearest("MODEL", kWords), "model");
  EXPECT_EQ(nearest("lsit", kWords), "list");
  EXPECT_EQ(nearest("--fliter", kWords), "--filter");
  EXPECT_EQ(did_you_mean("modle", kWords), "; did you mean model?");
}

TEST(Nearest, guesses_nothing_from_what_is_far) {
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest("xy", kWords), "");
  EXPECT_EQ(nearest("nonsense", kWords), "");
  EXPECT_EQ(nearest(std::string(100'000, 'd'), kWords), "");
  EXPECT_EQ(did_you_mean("nonsense", kWords), "");
}

TEST(Nearest, distance_counts_a_swap_once) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("acb", "abc"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

}  // namespace
}  // namespace covey
