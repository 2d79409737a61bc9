// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/accuracy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "monitoring/accuracy/boundary.hpp"
#include "monitoring/accuracy/comparison.hpp"
#include "monitoring/accuracy/power.hpp"
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
  EXPECT_EQ(v.strata[1].labels_needed, (LabelsNeeded{25, 25}));
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
  const std::vector<DeviceLabels> few(4, {20, 18});
  const std::vector<DeviceLabels> control(4, {400, 360});
  AccuracyVerdict v = judge_accuracy(std::vector{stratum("press", few, control)}, {});
  ASSERT_EQ(v.reason, "UNDECIDED");
  ASSERT_TRUE(v.strata[0].labels_needed && v.strata[0].labels_needed->surely);
  EXPECT_LT(v.strata[0].labels_needed->likely, *v.strata[0].labels_needed->surely);
  // Give it that many, exactly as good as control: one in two would have passed by then.
  const uint64_t factor = 1 + v.strata[0].labels_needed->likely / 80 + 1;
  const auto scaled = [&](std::vector<DeviceLabels> devices) {
    for (DeviceLabels& d : devices) d = {d.labelled * factor, d.correct * factor};
    return devices;
  };
  v = judge_accuracy(std::vector{stratum("press", scaled(few), scaled(control))}, {});
  EXPECT_EQ(v.verdict, Verdict::kPass) << v.explanation;
  // Devices that differ wildly: no number of labels decides.
  v = judge_accuracy(std::vector{stratum("press", {{400, 390}, {400, 240}, {400, 330}}, kGood)},
                     {});
  EXPECT_EQ(v.verdict, Verdict::kInconclusive);
  EXPECT_FALSE(v.strata[0].labels_needed);
  EXPECT_NE(v.explanation.find("no number of labels decides"), std::string::npos) << v.explanation;
}

// "More labels will not decide" was said of a third of equal releases that labels did decide, since
// the difference that was measured was taken for the true one.
TEST(AccuracyGate, property_labels_needed_are_those_that_it_takes) {
  Random random(50);
  int said = 0;
  int surely = 0;
  int likely = 0;
  constexpr int kRuns = 200;
  for (int i = 0; i < kRuns; ++i) {
    std::vector<DeviceLabels> canary(20);
    std::vector<DeviceLabels> control(60);
    const auto label = [&](std::vector<DeviceLabels>& devices, uint64_t labels) {
      for (uint64_t n = 0; n < labels; ++n) {
        DeviceLabels& device = devices[random.below(devices.size())];
        ++device.labelled;
        device.correct += random.chance(0.9) ? 1 : 0;
      }
    };
    label(canary, 100);
    label(control, 900);
    AccuracyVerdict v = judge_accuracy(std::vector{stratum("", canary, control)}, {});
    if (v.reason != "UNDECIDED") continue;
    // One estimate in 40 of the spread between devices is so far off.
    if (!v.strata[0].labels_needed) continue;
    ++said;
    const uint64_t first = v.strata[0].labels_needed->likely;
    ASSERT_LT(first, 20'000U);
    label(canary, first);
    label(control, 9 * first);
    v = judge_accuracy(std::vector{stratum("", canary, control)}, {});
    likely += v.verdict == Verdict::kPass ? 1 : 0;
    label(canary, first);
    label(control, 9 * first);
    v = judge_accuracy(std::vector{stratum("", canary, control)}, {});
    surely += v.verdict == Verdict::kPass ? 1 : 0;
  }
  EXPECT_GT(said, kRuns * 9 / 10);
  EXPECT_NEAR(likely / static_cast<double>(said), 0.5, 0.15);
  EXPECT_GE(surely / static_cast<double>(said), 0.8);
}

// A bound per stratum, of the whole margin and at a third of alpha, passed 6 % of equal releases at
// 2pp and never decided the others.
TEST(AccuracyGate, strata_are_judged_together_and_guarded_apart) {
  const std::vector<DeviceLabels> canary(15, {100, 90});
  const std::vector<DeviceLabels> control(60, {200, 180});
  const std::vector<DeviceLabels> worse(15, {100, 82});
  const auto judge = [&](const std::vector<DeviceLabels>& third, AccuracyOptions options) {
    return judge_accuracy(
        std::vector{stratum("fan", canary, control), stratum("press", third, control),
                    stratum("pump", canary, control)},
        options);
  };
  AccuracyVerdict v = judge(canary, {});
  EXPECT_EQ(v.verdict, Verdict::kPass) << v.explanation;
  EXPECT_NE(v.explanation.find("all strata: canary 90.0 % (4500 labels, 45 devices)"),
            std::string::npos)
      << v.explanation;
  for (const StratumVerdict& s : v.strata) EXPECT_EQ(s.may_be_worse_by, Ratio::percent(10));
  EXPECT_LT(v.strata[0].bounds.low, -0.02);  // alone it could not say so much

  // Whole: within 5 pp. One stratum: 8 pp worse, more than the plan allows to one.
  AccuracyOptions options{.non_inferior_by = Ratio::percent(5)};
  options.per_stratum = Ratio::percent(6);
  v = judge(worse, options);
  EXPECT_EQ(v.together->verdict, Verdict::kPass) << v.together->explanation;
  EXPECT_NE(v.verdict, Verdict::kPass) << v.explanation;
  EXPECT_NE(v.explanation.find("press"), std::string::npos) << v.explanation;
  EXPECT_EQ(guard_of({.non_inferior_by = Ratio::percent(8)}), Ratio::percent(16));
  EXPECT_EQ(guard_of({.non_inferior_by = Ratio::percent(80)}), Ratio::percent(100));

  const GateResult gate = to_gate_result(judge(canary, {}));
  const auto all = std::find_if(gate.measures.begin(), gate.measures.end(),
                                [](const Measure& m) { return m.name == "labels_canary"; });
  ASSERT_NE(all, gate.measures.end());
  EXPECT_EQ(all->scope, "");
  EXPECT_EQ(all->value, 4500);
}

TEST(Power, is_what_rollouts_show) {
  AccuracyOptions gate{.labels = 2500};
  const Planned planned{.canaries = 50, .controls = 450, .accuracy = 0.9};
  EXPECT_NEAR(pass_probability(gate, planned, 2500, 0), 0.65, 0.1);
  EXPECT_LE(pass_probability(gate, planned, 2500, -0.02), 0.05);
  EXPECT_LE(fail_probability(gate, planned, 2500, 0), 0.01);
  EXPECT_GE(fail_probability(gate, planned, 2500, -0.06), 0.9);
  const auto most = labels_to_pass(gate, planned, 0.9);
  ASSERT_TRUE(most);
  gate.labels = *most;
  EXPECT_GE(pass_probability(gate, planned, *most, 0), 0.9);
  EXPECT_LT(pass_probability(gate, planned, *most * 9 / 10, 0), 0.9);
  // The equal release of rollouts that are simulated.
  RolloutOptions options{.canaries = 50, .controls = 50, .labels = 50, .labels_of_control = 1};
  options.look_every = 0.05;
  options.gate.labels = 2500;
  EXPECT_NEAR(rollout_rates(options, 200, 70).pass,
              pass_probability(options.gate, {50, 50, 0.9, 0}, 2500, 0), 0.12);
  // Few devices that differ: never.
  EXPECT_FALSE(labels_to_pass({}, {.canaries = 3, .controls = 3, .device_sd = 0.05}, 0.5));
  EXPECT_NEAR(device_sd_limit({}, {.canaries = 50, .controls = 450}, 0.5), 0.0643, 0.01);
}

TEST(Boundary, is_crossed_as_often_as_it_says) {
  EXPECT_NEAR(boundary_quantile(0.05), 2.0726, 5e-4);
  Random random(60);
  for (const double alpha : {0.05, 0.2}) {
    const double z = boundary_quantile(alpha);
    int crossed = 0;
    constexpr int kRuns = 4000;
    for (int i = 0; i < kRuns; ++i) {
      double sum = 0;
      double time = 0.002;
      double last = 0;
      bool above = false;
      for (; time < 200 && !above; time *= 1.01) {  // steps of a hundredth, planned at 1
        sum += std::sqrt(time - last) * random.normal();
        last = time;
        above = above_boundary({sum, time, 1}, z);
      }
      crossed += above ? 1 : 0;
    }
    const double rate = crossed / static_cast<double>(kRuns);
    EXPECT_LE(rate, alpha + 0.01) << alpha;
    EXPECT_GE(rate, 0.75 * alpha) << alpha;  // between steps some are missed
  }
}

TEST(Boundary, bets_against_no_drift_hardly_ever_win) {
  Random random(61);
  int won = 0;
  for (int i = 0; i < 2000; ++i) {
    double sum = 0;
    double last = 0;
    bool done = false;
    for (double time = 10; time < 1e6 && !done; time *= 1.05) {
      sum += std::sqrt(time - last) * random.normal();
      last = time;
      done = log_capital(sum, time) >= std::log(20.0);
    }
    won += done ? 1 : 0;
  }
  EXPECT_LE(won, 2000 * 0.05);
  EXPECT_NEAR(information_for(0.02, 2, 0.5), 10'000, 1e-6);
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
