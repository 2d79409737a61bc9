// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/accuracy.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "monitoring/accuracy/comparison.hpp"
#include "monitoring/gates/accuracy.hpp"
#include "tests/unit/monitoring/random.hpp"
#include "tests/unit/monitoring/simulated_rollout.hpp"

namespace covey::monitoring {
namespace {

using testing::Random;
using testing::rollout_rates;
using testing::RolloutOptions;
using testing::RolloutRates;

LabelsByWindow in_one_window(DeviceLabels labels = {}) { return {{0, labels}}; }

StratumLabels stratum(std::string name, const std::vector<DeviceLabels>& canary,
                      const std::vector<DeviceLabels>& control) {
  StratumLabels labels{std::move(name), {}, {}};
  for (const DeviceLabels& device : canary) labels.canary.push_back(in_one_window(device));
  for (const DeviceLabels& device : control) labels.control.push_back(in_one_window(device));
  return labels;
}
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
  StratumLabels stratum{"press", std::vector<LabelsByWindow>(trial.canaries, in_one_window()),
                        std::vector<LabelsByWindow>(trial.controls, in_one_window())};
  const auto p_canary = device_accuracies(random, trial.canaries, trial.canary, trial.device_sd);
  const auto p_control = device_accuracies(random, trial.controls, trial.control, trial.device_sd);
  constexpr uint64_t kLooks = 40;
  Outcome outcome;
  for (uint64_t look = 1; look <= kLooks; ++look) {
    const auto label = [&](std::vector<LabelsByWindow>& devices, const std::vector<double>& p) {
      for (size_t d = 0; d < devices.size(); ++d) {
        DeviceLabels& labels = devices[d].front().labels;
        while (labels.labelled < trial.labels * look / kLooks) {
          ++labels.labelled;
          labels.correct += random.chance(p[d]) ? 1 : 0;
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

// The boundary of "not worse": an unlucky or lucky streak of the few first labels decides nothing.
// 13 % of such canaries passed at 99 % while the variance was that of the canary's own share.
TEST(AccuracyGate, property_a_canary_worse_by_just_the_margin_passes_at_most_in_five_percent) {
  struct Cell {
    double control;
    double sd;
    int32_t margin;
  };
  uint64_t seed = 20;
  for (const auto& [control, sd, margin] :
       {Cell{0.99, 0, 2}, Cell{0.97, 0, 5}, Cell{0.9, 0.03, 5}, Cell{0.8, 0, 2}}) {
    RolloutOptions options{.control = control, .difference = -margin / 100.0, .device_sd = sd};
    options.gate.non_inferior_by = Ratio::percent(margin);
    const RolloutRates rates = rollout_rates(options, 300, ++seed);
    EXPECT_LE(rates.pass, 0.05) << control << " " << margin;
    EXPECT_LE(rates.fail, 0.05) << control << " " << margin;
  }
}

// Canary labels that come late, as devices take a release bit by bit, and a site that changes for
// all at half time: over the whole time control looks better (or worse) than it is.
TEST(AccuracyGate, property_control_is_concurrent_in_time) {
  RolloutOptions options{.canaries = 50, .controls = 150, .device_sd = 0.03, .rising = true};
  options.first_verdict_ends = false;
  for (const double step : {-0.1, 0.09}) {
    options.step = step;
    const RolloutRates equal = rollout_rates(options, 150, 30);
    EXPECT_NEAR(equal.difference, 0, 0.003) << step;
    EXPECT_LE(equal.fail, 0.05) << step;
  }
  options.first_verdict_ends = true;
  options.step = -0.1;
  EXPECT_LE(rollout_rates(options, 100, 31).fail, 0.02);
  options.step = 0.09;
  options.difference = -0.04;  // worse, but late, when all do well
  EXPECT_LE(rollout_rates(options, 100, 32).pass, 0.02);
}

TEST(AccuracyGate, only_windows_in_which_both_sides_have_labels_are_compared) {
  const auto labels = [](int64_t first, uint64_t correct) {
    return LabelsByWindow{{first, {50, correct}}, {first + 1, {50, correct}}};
  };
  const auto judge = [](std::vector<LabelsByWindow> canary, std::vector<LabelsByWindow> control) {
    return judge_accuracy(std::vector{StratumLabels{"press", canary, control}}, {}).strata.at(0);
  };
  StratumVerdict apart = judge({labels(2, 45), labels(2, 45)}, {labels(0, 50), labels(0, 50)});
  EXPECT_EQ(apart.reason, "NO_CONCURRENT_LABELS");
  EXPECT_EQ(apart.labels_alone, 400U);
  EXPECT_NE(apart.explanation.find("0 of 200 labels in the canary"), std::string::npos);

  StratumVerdict meet = judge({labels(2, 45), labels(2, 45)}, {labels(1, 50), labels(1, 50)});
  EXPECT_EQ(meet.canary_labels, 100U);
  EXPECT_EQ(meet.control_labels, 100U);
  EXPECT_EQ(meet.labels_alone, 200U);
  EXPECT_NEAR(meet.difference, -0.1, 1e-12);
  EXPECT_NE(meet.explanation.find("200 labels are of windows in which the other side has none"),
            std::string::npos)
      << meet.explanation;
}

// The formulas against a second way to compute them: least squares over single labels.
TEST(AccuracyGate, the_difference_has_the_weights_of_mantel_and_haenszel) {
  const Comparison c = compare({"press",
                                {{{0, {10, 9}}, {1, {20, 15}}}, {{1, {20, 17}}}},
                                {{{0, {40, 36}}}, {{0, {10, 9}}, {1, {20, 18}}}}});
  const double w0 = 10.0 * 50 / 60;
  const double w1 = 40.0 * 20 / 60;
  EXPECT_NEAR(c.difference, (w0 * (0.9 - 0.9) + w1 * (0.8 - 0.9)) / (w0 + w1), 1e-12);
  EXPECT_NEAR(c.weight, w0 + w1, 1e-12);
  // One window: the plain difference, and the plain restricted variance.
  const Comparison one = compare(stratum("press", {{30, 30}, {30, 30}}, {{60, 54}, {60, 54}}));
  EXPECT_NEAR(one.difference, 0.1, 1e-12);
  const double p = (60 + 108 + 0.02 * 60 + 0.5) / 181;
  EXPECT_NEAR(one.variance_by_labels(-0.02), p * (1 - p) / 120 + (p - 0.02) * (1.02 - p) / 60,
              1e-12);
  EXPECT_EQ(one.between, 0);
}

TEST(AccuracyGate, bounds_and_verdict_agree) {
  Random random(40);
  for (int i = 0; i < 300; ++i) {
    const auto devices = [&](size_t count, double p) {
      std::vector<DeviceLabels> list(count);
      for (DeviceLabels& device : list) {
        device.labelled = 5 + random.below(400);
        for (uint64_t k = 0; k < device.labelled; ++k) device.correct += random.chance(p) ? 1 : 0;
      }
      return list;
    };
    const AccuracyVerdict v = judge_accuracy(
        std::vector{stratum("press", devices(2 + random.below(5), 0.7 + 0.3 * random.uniform()),
                            devices(2 + random.below(9), 0.9))},
        {});
    const StratumVerdict& s = v.strata.front();
    EXPECT_LE(s.bounds.low, s.difference);
    EXPECT_GE(s.bounds.high, s.difference);
    if (s.bounds.low <= -1) continue;
    EXPECT_EQ(s.verdict == Verdict::kPass, s.bounds.low > -0.02) << s.explanation;
    EXPECT_EQ(s.verdict == Verdict::kFail, s.bounds.high < -0.02) << s.explanation;
  }
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
  EXPECT_EQ(wilson(20, 20, 0.05).high, 1);
}

}  // namespace
}  // namespace covey::monitoring
