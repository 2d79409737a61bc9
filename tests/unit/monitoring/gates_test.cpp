// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/gates.hpp"

#include <gtest/gtest.h>

#include "monitoring/gates/failures.hpp"
#include "monitoring/gates/silence.hpp"

namespace covey::monitoring {
namespace {

constexpr FailuresOptions kTwoPercentOf20{Ratio::percent(2), 20};

TEST(Gates, results_combine_by_precedence_and_nothing_is_inconclusive) {
  GateResult pass;
  pass.verdict = Verdict::kPass;
  GateResult open;
  GateResult error;
  error.verdict = Verdict::kError;
  GateResult fail;
  fail.verdict = Verdict::kFail;
  EXPECT_EQ(combine(std::span<const GateResult>{}), Verdict::kInconclusive);
  EXPECT_EQ(combine(std::vector<GateResult>{pass, pass}), Verdict::kPass);
  EXPECT_EQ(combine(std::vector<GateResult>{pass, open}), Verdict::kInconclusive);
  EXPECT_EQ(combine(std::vector<GateResult>{error, open, pass}), Verdict::kError);
  EXPECT_EQ(combine(std::vector<GateResult>{error, fail, pass}), Verdict::kFail);
}

TEST(FailuresGate, waits_for_its_sample_but_not_for_certainty) {
  const auto judge = [](const FailureCounts& c) { return judge_failures(c, kTwoPercentOf20); };
  EXPECT_EQ(judge({100, 0, 0, 0, 0}).reason, "NO_DATA");
  EXPECT_EQ(judge({100, 0, 10, 9, 1}).reason, "SAMPLE_TOO_SMALL");
  EXPECT_EQ(judge({100, 0, 20, 19, 1}).reason, "TOO_MANY_FAILURES");  // 5 % of 20
  EXPECT_EQ(judge({100, 0, 5, 2, 3}).reason, "FAILURES_CERTAIN");     // 3 % of all 100
  EXPECT_EQ(judge({100, 0, 50, 1, 1}).reason, "IN_PROGRESS");
  EXPECT_EQ(judge({100, 0, 50, 0, 1}).reason, "WITHIN_BOUND");
  EXPECT_EQ(judge({100, 0, 100, 0, 2}).verdict, Verdict::kPass);
  EXPECT_EQ(judge({100, 0, 100, 0, 3}).verdict, Verdict::kFail);
}

TEST(FailuresGate, a_stage_smaller_than_the_sample_is_judged_whole) {
  const auto judge = [](const FailureCounts& c) { return judge_failures(c, kTwoPercentOf20); };
  EXPECT_EQ(judge({3, 0, 2, 0, 0}).reason, "SAMPLE_TOO_SMALL");
  EXPECT_EQ(judge({3, 0, 3, 0, 0}).verdict, Verdict::kPass);
  EXPECT_EQ(judge({3, 1, 2, 0, 0}).verdict, Verdict::kPass);  // one was offline and skipped
  EXPECT_EQ(judge({3, 0, 1, 0, 1}).reason, "FAILURES_CERTAIN");
  EXPECT_EQ(judge({3, 3, 0, 0, 0}).reason, "NO_DATA");
}

TEST(FailuresGate, contradicting_counts_are_an_error) {
  for (const FailureCounts& counts :
       {FailureCounts{3, 0, 4, 0, 0}, FailureCounts{3, 2, 2, 0, 0}, FailureCounts{3, 0, 2, 3, 0},
        FailureCounts{3, 0, 2, 1, 2}, FailureCounts{3, ~uint64_t{0}, 2, 0, 0},
        FailureCounts{3, 0, 2, 0, ~uint64_t{0}}}) {
    EXPECT_EQ(judge_failures(counts, kTwoPercentOf20).verdict, Verdict::kError);
  }
}

// Whatever happens later, a verdict FAIL stays right, and PASS is never given while open attempts
// could still break it.
TEST(FailuresGate, property_fail_is_final_and_pass_is_safe) {
  const FailuresOptions options{Ratio::percent(15), 5};
  for (uint64_t targeted = 1; targeted <= 12; ++targeted) {
    for (uint64_t attempted = 0; attempted <= targeted; ++attempted) {
      for (uint64_t open = 0; open <= attempted; ++open) {
        for (uint64_t failed = 0; failed + open <= attempted; ++failed) {
          const GateResult now = judge_failures({targeted, 0, attempted, open, failed}, options);
          if (now.reason == "FAILURES_CERTAIN") {
            for (uint64_t more = attempted; more <= targeted; ++more) {
              EXPECT_EQ(judge_failures({targeted, 0, more, 0, failed}, options).verdict,
                        Verdict::kFail);
            }
          }
          if (now.verdict == Verdict::kPass) {
            EXPECT_EQ(judge_failures({targeted, 0, attempted, 0, failed + open}, options).verdict,
                      Verdict::kPass);
          }
          EXPECT_FALSE(attempted == 0 && now.verdict == Verdict::kPass);
        }
      }
    }
  }
}

TEST(SilenceGate, counts_against_the_canary_unless_the_site_is_silent) {
  const SilenceOptions options{Ratio::percent(5), 1};
  EXPECT_EQ(judge_silence({0, 0, 0, 0}, options).reason, "NO_DATA");
  EXPECT_EQ(judge_silence({20, 1, 0, 0}, options).verdict, Verdict::kPass);
  EXPECT_EQ(judge_silence({20, 2, 0, 0}, options).verdict, Verdict::kFail);
  EXPECT_EQ(judge_silence({20, 2, 40, 1}, options).verdict, Verdict::kFail);
  EXPECT_EQ(judge_silence({20, 2, 40, 3}, options).verdict, Verdict::kFail);  // less than canary
  EXPECT_EQ(judge_silence({20, 2, 40, 4}, options).reason, "SILENCE_IS_SITE_WIDE");
  EXPECT_EQ(judge_silence({20, 20, 40, 40}, options).verdict, Verdict::kInconclusive);
  EXPECT_EQ(judge_silence({3, 0, 0, 0}, {Ratio::percent(5), 10}).reason, "SAMPLE_TOO_SMALL");
  EXPECT_EQ(judge_silence({3, 4, 0, 0}, options).verdict, Verdict::kError);
  EXPECT_EQ(judge_silence({3, 0, 1, 2}, options).verdict, Verdict::kError);
  EXPECT_EQ(judge_silence({20, 0, 0, 0, 1}, options).verdict, Verdict::kPass);
  EXPECT_EQ(judge_silence({20, 0, 0, 0, 2}, options).reason, "NOT_HEARD_YET");
  EXPECT_EQ(judge_silence({20, 2, 0, 0, 18}, options).verdict, Verdict::kFail);
  EXPECT_EQ(judge_silence({20, 2, 0, 0, 19}, options).verdict, Verdict::kError);
}

TEST(Gates, explanations_carry_the_numbers) {
  const GateResult result = judge_failures({100, 0, 50, 0, 3}, kTwoPercentOf20);
  EXPECT_NE(result.explanation.find("3 of 50 attempted devices failed, at most 2% may"),
            std::string::npos)
      << result.explanation;
  ASSERT_FALSE(result.measures.empty());
  EXPECT_EQ(result.measures.back().name, "share");
  EXPECT_EQ(result.measures.back().bound, 0.02);
}

}  // namespace
}  // namespace covey::monitoring
