// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/accuracy.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "monitoring/gates/accuracy.hpp"
#include "tests/unit/monitoring/random.hpp"

namespace covey::monitoring {
namespace {

using testing::Random;

// Labels trickle in, device by device; every device has its own true accuracy.
struct Trial {
  size_t canaries = 3;
  size_t controls = 12;
  uint64_t labels = 100;  // per device, at the end
  double canary = 0.9;
  double control = 0.9;
  double device_sd = 0.03;
  AccuracyOptions options{};
};

struct Outcome {
  Verdict first = Verdict::kInconclusive;  // the first that was not INCONCLUSIVE
  uint64_t looks = 0;
};

std::vector<double> device_accuracies(Random& random, size_t devices, double mean, double sd) {
  std::vector<double> accuracies;
  for (size_t d = 0; d < devices; ++d) {
    accuracies.push_back(std::clamp(mean + sd * random.normal(), 0.0, 1.0));
  }
  return accuracies;
}

// Peeks 40 times and stops at the first verdict, as a rollout does.
Outcome run(const Trial& trial, Random& random) {
  StratumLabels stratum{"press", std::vector<DeviceLabels>(trial.canaries),
                        std::vector<DeviceLabels>(trial.controls)};
  const auto p_canary = device_accuracies(random, trial.canaries, trial.canary, trial.device_sd);
  const auto p_control = device_accuracies(random, trial.controls, trial.control, trial.device_sd);
  constexpr uint64_t kLooks = 40;
  Outcome outcome;
  for (uint64_t look = 1; look <= kLooks; ++look) {
    const auto label = [&](std::vector<DeviceLabels>& devices, const std::vector<double>& p) {
      for (size_t d = 0; d < devices.size(); ++d) {
        while (devices[d].labelled < trial.labels * look / kLooks) {
          ++devices[d].labelled;
          devices[d].correct += random.chance(p[d]) ? 1 : 0;
        }
      }
    };
    label(stratum.canary, p_canary);
    label(stratum.control, p_control);
    outcome.first = judge_accuracy(std::vector{stratum}, trial.options).verdict;
    outcome.looks = look;
    if (outcome.first != Verdict::kInconclusive) return outcome;
  }
  return outcome;
}

struct Rates {
  double fail = 0;
  double pass = 0;
};
Rates rates(const Trial& trial, int runs, uint64_t seed) {
  Random random(seed);
  int fails = 0;
  int passes = 0;
  for (int i = 0; i < runs; ++i) {
    const Verdict verdict = run(trial, random).first;
    fails += verdict == Verdict::kFail ? 1 : 0;
    passes += verdict == Verdict::kPass ? 1 : 0;
  }
  return {fails / static_cast<double>(runs), passes / static_cast<double>(runs)};
}

TEST(AccuracyGate, property_false_fails_stay_below_alpha_under_continuous_peeking) {
  // On the boundary of the margin, where failing is hardest to avoid.
  for (const double sd : {0.0, 0.03, 0.06}) {
    for (const uint64_t labels : {100U, 1000U}) {
      for (const size_t canaries : {2U, 3U, 12U}) {
        Trial trial{canaries, 12, labels, 0.88, 0.90, sd};
        EXPECT_LE(rates(trial, 200, 1).fail, 0.05);
      }
    }
  }
  EXPECT_LE(rates({3, 12, 200, 0.90, 0.90, 0.03}, 400, 2).fail, 0.02);
  EXPECT_LE(rates({1, 3, 200, 0.48, 0.50, 0.05}, 400, 3).fail, 0.05);
  EXPECT_LE(rates({3, 12, 200, 0.98, 0.995, 0.0}, 400, 4).fail, 0.05);
}

TEST(AccuracyGate, property_a_worse_canary_hardly_passes) {
  EXPECT_LE(rates({3, 12, 1000, 0.88, 0.90, 0.0}, 400, 5).pass, 0.05);
  EXPECT_LE(rates({3, 12, 1000, 0.88, 0.90, 0.04}, 400, 6).pass, 0.05);
}

TEST(AccuracyGate, property_a_regression_of_20_points_is_found_with_3_canaries) {
  Trial trial{3, 12, 100, 0.70, 0.90, 0.03};
  EXPECT_GE(rates(trial, 300, 7).fail, 0.97);
  trial.options.alpha = Ratio{16'667};  // as one of three strata
  EXPECT_GE(rates(trial, 300, 8).fail, 0.93);
}

TEST(AccuracyGate, property_an_equal_or_better_canary_passes_when_the_evidence_can_say_so) {
  Trial equal{12, 12, 400, 0.90, 0.90, 0.02};
  equal.options.non_inferior_by = Ratio::percent(5);
  EXPECT_GE(rates(equal, 200, 9).pass, 0.9);
  Trial better{6, 12, 200, 0.95, 0.88, 0.02};
  EXPECT_GE(rates(better, 200, 10).pass, 0.9);
}

StratumLabels stratum(std::string name, std::vector<DeviceLabels> canary,
                      std::vector<DeviceLabels> control) {
  return {std::move(name), std::move(canary), std::move(control)};
}
const std::vector<DeviceLabels> kGood(4, {400, 380});
const std::vector<DeviceLabels> kBad(4, {400, 280});

TEST(AccuracyGate, names_the_stratum_that_fails) {
  const AccuracyVerdict v =
      judge_accuracy(std::vector{stratum("pump", kGood, kGood), stratum("press", kBad, kGood)}, {});
  EXPECT_EQ(v.verdict, Verdict::kFail);
  EXPECT_EQ(v.reason, "CANARY_WORSE");
  EXPECT_NE(v.explanation.find("press: canary 70.0 %"), std::string::npos) << v.explanation;
  ASSERT_EQ(v.strata.size(), 2U);
  EXPECT_NE(v.strata[0].verdict, Verdict::kFail);
  EXPECT_NEAR(v.strata[1].difference, -0.25, 1e-12);
  EXPECT_LT(v.strata[1].bounds.high, -0.02);
  const GateResult gate = to_gate_result(v);
  EXPECT_EQ(gate.gate, "accuracy");
  EXPECT_EQ(gate.verdict, Verdict::kFail);
  const auto bound = std::find_if(gate.measures.begin(), gate.measures.end(), [](const Measure& m) {
    return m.scope == "press" && m.name == "difference_high";
  });
  ASSERT_NE(bound, gate.measures.end());
  EXPECT_EQ(bound->bound, -0.02);
}

TEST(AccuracyGate, one_open_stratum_keeps_the_gate_open) {
  const std::vector<DeviceLabels> better(4, {4000, 3990});
  const AccuracyVerdict v = judge_accuracy(
      std::vector{stratum("pump", better, kGood), stratum("press", {{5, 5}}, kGood)}, {});
  EXPECT_EQ(v.strata[0].verdict, Verdict::kPass) << v.strata[0].explanation;
  EXPECT_EQ(v.verdict, Verdict::kInconclusive);
  EXPECT_EQ(v.reason, "TOO_FEW_LABELS");
  EXPECT_EQ(v.strata[1].labels_needed, 25U);
}

TEST(AccuracyGate, missing_evidence_never_passes) {
  const auto verdict = [](std::vector<StratumLabels> strata) {
    const AccuracyVerdict v = judge_accuracy(strata, {});
    EXPECT_FALSE(v.explanation.empty());
    EXPECT_EQ(v.verdict, Verdict::kInconclusive);
    return v.reason;
  };
  const std::vector<DeviceLabels> unlabelled(3);
  EXPECT_EQ(verdict({}), "NO_DATA");
  EXPECT_EQ(verdict({stratum("press", {}, kGood)}), "NO_DATA");
  EXPECT_EQ(verdict({stratum("press", unlabelled, unlabelled)}), "NO_LABELS");
  EXPECT_EQ(verdict({stratum("press", unlabelled, kGood)}), "NO_LABELS");
  EXPECT_EQ(verdict({stratum("press", kGood, unlabelled)}), "NO_LABELS");
  EXPECT_EQ(verdict({stratum("press", kGood, {})}), "NO_CONTROL");
  EXPECT_EQ(verdict({stratum("press", {{4000, 4000}}, {{4000, 4000}})}), "TOO_FEW_DEVICES");
}

TEST(AccuracyGate, contradicting_counts_are_an_error) {
  EXPECT_EQ(judge_accuracy(std::vector{stratum("press", {{5, 6}}, kGood)}, {}).verdict,
            Verdict::kError);
  AccuracyOptions options;
  options.alpha = Ratio{0};
  EXPECT_EQ(judge_accuracy(std::vector{stratum("press", kGood, kGood)}, options).verdict,
            Verdict::kError);
}

TEST(AccuracyGate, an_open_verdict_says_what_is_missing) {
  const std::vector<DeviceLabels> few(4, {20, 19});
  AccuracyVerdict v = judge_accuracy(std::vector{stratum("press", few, kGood)}, {});
  ASSERT_EQ(v.reason, "UNDECIDED");
  ASSERT_TRUE(v.strata[0].labels_needed);
  // Give it that many: decided, if the accuracies stay as they are.
  const uint64_t factor = 1 + *v.strata[0].labels_needed / 80 + 1;
  const auto scaled = [&](std::vector<DeviceLabels> devices) {
    for (DeviceLabels& d : devices) d = {d.labelled * factor, d.correct * factor};
    return devices;
  };
  v = judge_accuracy(std::vector{stratum("press", scaled(few), scaled(kGood))}, {});
  EXPECT_EQ(v.verdict, Verdict::kPass) << v.explanation;
  // Devices that differ wildly: no number of labels decides.
  v = judge_accuracy(std::vector{stratum("press", {{400, 390}, {400, 240}, {400, 330}}, kGood)},
                     {});
  EXPECT_EQ(v.verdict, Verdict::kInconclusive);
  EXPECT_FALSE(v.strata[0].labels_needed);
}

TEST(AccuracyGate, the_binomial_variance_is_the_floor) {
  // Devices in suspicious agreement, without a mistake: still not certain.
  const AccuracyVerdict v =
      judge_accuracy(std::vector{stratum("press", std::vector<DeviceLabels>(4, {10, 10}),
                                         std::vector<DeviceLabels>(4, {10, 10}))},
                     {});
  EXPECT_EQ(v.verdict, Verdict::kInconclusive);
  EXPECT_LT(v.strata[0].bounds.low, -0.02);
}

TEST(Intervals, degenerate_counts_conclude_nothing) {
  EXPECT_EQ(wilson(0, 0, 0.05).high, 1);
  EXPECT_EQ(clopper_pearson(0, 0, 0.05).low, 0);
  EXPECT_EQ(clopper_pearson(20, 20, 0.05).high, 1);
  EXPECT_EQ(wilson(20, 20, 0.05).high, 1);
  EXPECT_EQ(newcombe(1, 0, 3, 9, 0.05).low, -1);
}

TEST(Intervals, newcombe_gives_the_published_example) {
  const Interval i = newcombe(56, 70, 48, 80, 0.05);
  EXPECT_NEAR(i.low, 0.0524, 5e-5);
  EXPECT_NEAR(i.high, 0.3339, 5e-5);
}

TEST(Intervals, property_clopper_pearson_covers_at_least_its_level) {
  for (const double p : {0.02, 0.3, 0.9}) {
    Random random(17);
    int covered = 0;
    for (int run = 0; run < 1000; ++run) {
      uint64_t k = 0;
      for (int i = 0; i < 40; ++i) k += random.chance(p) ? 1 : 0;
      const Interval cp = clopper_pearson(k, 40, 0.05);
      const Interval w = wilson(k, 40, 0.05);
      covered += cp.low <= p && p <= cp.high ? 1 : 0;
      EXPECT_LE(cp.low, w.low + 0.02);
    }
    EXPECT_GE(covered, 945);
  }
}

}  // namespace
}  // namespace covey::monitoring
