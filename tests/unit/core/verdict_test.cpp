// SPDX-License-Identifier: Apache-2.0
#include "core/verdict.hpp"

#include <gtest/gtest.h>

#include <array>

namespace covey {
namespace {

constexpr std::array kAll{Verdict::kFail, Verdict::kError, Verdict::kInconclusive, Verdict::kPass};

TEST(Verdict, precedence_is_fail_error_inconclusive_pass) {
  for (size_t a = 0; a < kAll.size(); ++a) {
    for (size_t b = 0; b < kAll.size(); ++b) {
      EXPECT_EQ(combine(kAll[a], kAll[b]), kAll[std::min(a, b)]);
    }
  }
  EXPECT_EQ(combine(kAll), Verdict::kFail);
}

TEST(Verdict, nothing_is_inconclusive) {
  EXPECT_EQ(combine(std::span<const Verdict>{}), Verdict::kInconclusive);
}

TEST(Verdict, is_stable_text) {
  for (const Verdict verdict : kAll) EXPECT_EQ(parse_verdict(to_string(verdict)), verdict);
  EXPECT_EQ(to_string(Verdict::kInconclusive), "INCONCLUSIVE");
  EXPECT_FALSE(parse_verdict(""));
  EXPECT_FALSE(parse_verdict("pass"));
}

}  // namespace
}  // namespace covey
