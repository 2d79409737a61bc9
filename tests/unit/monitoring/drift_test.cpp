// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/drift.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "monitoring/statistics/distributions.hpp"
#include "tests/unit/monitoring/random.hpp"
#include "tests/unit/monitoring/simulated_fleet.hpp"

namespace covey::monitoring {
namespace {

using testing::FeatureBins;
using testing::fleet;
using testing::Random;

double unchanged(size_t) { return 1.0; }

TEST(Distributions, the_power_transformation_joins_the_series_smoothly) {
  for (const double df : {1.0, 4.0, 9.0, 31.0}) {
    const double lambda = 4999 - df;
    for (const double p : {0.0001, 0.005, 0.5, 0.95, 0.99, 0.9999}) {
      const double series = noncentral_chi_squared_quantile(p, df, lambda);
      const double power = noncentral_chi_squared_quantile(p, df, lambda + 2);
      EXPECT_NEAR(power - series, 2.0, 0.15) << df << " " << p;
    }
  }
}

TEST(Distributions, noncentrality_inverts_the_cdf) {
  for (const double x : {5.0, 30.0, 400.0, 20'000.0, 3e6}) {
    for (const double p : {0.025, 0.5, 0.975}) {
      const double lambda = noncentrality(x, 9, p);
      if (lambda > 0) {
        EXPECT_NEAR(noncentral_chi_squared_cdf(x, 9, lambda), p, 1e-6) << x;
      }
    }
  }
  EXPECT_EQ(noncentrality(1, 9, 0.975), 0);
}

TEST(Drift, missing_evidence_is_never_ok) {
  const Counts baseline{100, 200, 300};
  const Counts some{10, 20, 30};
  const auto outcome = [&](const Counts& base, const std::vector<Counts>& devices) {
    return judge_histogram(base, devices).outcome;
  };
  EXPECT_EQ(outcome(baseline, {}), DriftOutcome::kInsufficientData);
  EXPECT_EQ(outcome(baseline, {Counts(3), Counts(3)}), DriftOutcome::kInsufficientData);
  EXPECT_EQ(outcome(baseline, {some, some, some}), DriftOutcome::kInsufficientData);  // 180 values
  EXPECT_EQ(outcome(baseline, {some, some, some, some}), DriftOutcome::kInsufficientDevices);
  EXPECT_EQ(outcome(baseline, {Counts{5000, 1, 1}}), DriftOutcome::kInsufficientDevices);
  EXPECT_EQ(outcome(Counts(3), std::vector<Counts>(6, some)), DriftOutcome::kInsufficientData);
  EXPECT_EQ(outcome({}, std::vector<Counts>(6, some)), DriftOutcome::kInsufficientData);
  EXPECT_EQ(outcome({600}, std::vector<Counts>(6, Counts{60})), DriftOutcome::kInsufficientData);
  EXPECT_EQ(outcome(baseline, std::vector<Counts>(6, Counts{9, 9})),
            DriftOutcome::kInsufficientData);
  EXPECT_EQ(outcome(baseline, std::vector<Counts>(6, some)), DriftOutcome::kOk);
}

TEST(Drift, outcomes_are_stable_text) {
  for (const auto outcome : {DriftOutcome::kOk, DriftOutcome::kWarn, DriftOutcome::kPage,
                             DriftOutcome::kInsufficientData, DriftOutcome::kInsufficientDevices}) {
    EXPECT_EQ(parse_drift_outcome(to_string(outcome)), outcome);
  }
  EXPECT_EQ(to_string(DriftOutcome::kInsufficientDevices), "INSUFFICIENT_DEVICES");
  EXPECT_FALSE(parse_drift_outcome("ok"));
}

// docs/design/monitoring.md, "Drift": without n/N and the design effect a nominal 5 % realises 25
// to 97 %. The clustered test must hold its level in a fleet with natural spread around an
// unchanged mean.
TEST(Drift, property_the_clustered_test_holds_its_level_under_the_null) {
  int rejected = 0;
  int naive = 0;
  int alarms = 0;
  constexpr int kRuns = 300;
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    const FeatureBins bins(seed, 4000);
    Random random(seed + 10'000);
    const std::vector<Counts> devices = fleet(bins, random, {20, 200, 0.04, 0.03}, unchanged);
    const DriftVerdict v = judge_histogram(bins.baseline(), devices);
    Counts pooled;
    for (const Counts& device : devices) add(pooled, device);
    rejected += v.p_value <= 0.05 ? 1 : 0;
    naive += chi_squared_upper(pearson_x2(bins.baseline(), pooled), 9) <= 0.05 ? 1 : 0;
    alarms += v.outcome == DriftOutcome::kOk ? 0 : 1;
  }
  RecordProperty("rejected", rejected);
  EXPECT_LE(rejected, kRuns * 8 / 100);  // nominal 5 %
  EXPECT_GE(naive, kRuns / 2);           // what the usual test does
  EXPECT_LE(alarms, kRuns / 100);
}

// Real sensors differ by an offset: in one direction. As if they differed in all alike, a nominal
// 1 % realised 6 % (20 devices), a nominal 0.1 % 2.6 %.
TEST(Drift, property_the_clustered_test_holds_its_level_for_sensors_with_offsets) {
  int rejected = 0;
  constexpr int kRuns = 1000;
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    Random random(seed);
    std::vector<Counts> devices(20, Counts(10));
    // Ten equally full bins of a normal variable, intraclass correlation 0.1.
    const auto bin_of = [](double z) {
      return std::min<size_t>(9, static_cast<size_t>(10 * normal_cdf(z)));
    };
    for (Counts& device : devices) {
      const double offset = std::sqrt(0.1) * random.normal();
      for (int i = 0; i < 200; ++i) ++device[bin_of(offset + std::sqrt(0.9) * random.normal())];
    }
    rejected += judge_histogram(Counts(10, 100'000), devices).p_value <= 0.01 ? 1 : 0;
  }
  RecordProperty("rejected", rejected);
  EXPECT_LE(rejected, kRuns * 3 / 100);
  EXPECT_GE(rejected, kRuns * 5 / 1000);
}

TEST(Drift, property_the_interval_covers_the_true_psi) {
  const Counts baseline(4, 1'000'000);
  const Counts truth{2'000'000, 3'000'000, 2'500'000, 2'500'000};
  const double true_psi = psi(baseline, truth);
  int covered = 0;
  constexpr int kRuns = 400;
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    Random random(seed);
    std::vector<Counts> devices(10, Counts(4));
    for (int i = 0; i < 3000; ++i) {
      const uint64_t x = random.below(10'000'000);
      const size_t bin = x < 2'000'000 ? 0 : x < 5'000'000 ? 1 : x < 7'500'000 ? 2 : 3;
      ++devices[random.below(10)][bin];
    }
    const DriftVerdict v = judge_histogram(baseline, devices);
    covered += v.psi_low <= true_psi && true_psi <= v.psi_high ? 1 : 0;
    EXPECT_LE(v.psi_low, v.psi_high);
  }
  EXPECT_GE(covered, kRuns * 93 / 100);
}

TEST(Drift, a_world_that_moved_pages_and_a_tolerable_shift_does_not) {
  const FeatureBins bins(1);
  Random random(2);
  const auto judge = [&](double gain, uint64_t n) {
    const std::vector<Counts> devices =
        fleet(bins, random, {30, n, 0.02, 0.01}, [&](size_t) { return gain; });
    return judge_histogram(bins.baseline(), devices).outcome;
  };
  EXPECT_EQ(judge(0.75, 300), DriftOutcome::kPage);
  EXPECT_EQ(judge(0.92, 2000), DriftOutcome::kWarn);
  EXPECT_EQ(judge(0.98, 20'000), DriftOutcome::kOk);  // however large n is
  EXPECT_EQ(judge(1.0, 20'000), DriftOutcome::kOk);
}

TEST(Drift, the_same_counts_give_the_same_bits_in_any_order_of_devices) {
  const FeatureBins bins(3);
  Random random(4);
  std::vector<Counts> devices = fleet(bins, random, {12, 200, 0.1, 0.1}, unchanged);
  const DriftVerdict a = judge_histogram(bins.baseline(), devices);
  const DriftVerdict b = judge_histogram(bins.baseline(), devices);
  EXPECT_EQ(a.psi, b.psi);
  EXPECT_EQ(a.psi_high, b.psi_high);
  EXPECT_EQ(a.p_value, b.p_value);
  random.shuffle(devices);
  const DriftVerdict c = judge_histogram(bins.baseline(), devices);
  EXPECT_EQ(a.psi, c.psi);  // sums over devices may differ in the last digit
  EXPECT_NEAR(a.p_value, c.p_value, 1e-9);
  EXPECT_EQ(a.outcome, c.outcome);
}

TEST(Drift, the_design_effect_sees_devices_not_rows) {
  EXPECT_EQ(design_effect({}), 1);
  EXPECT_EQ(design_effect(std::vector<Counts>(8, Counts{5, 5})), 1);
  // Two kinds of devices: each row repeats its device, so 8 devices are worth about 8 rows.
  std::vector<Counts> devices;
  devices.reserve(9);
  for (int d = 0; d < 8; ++d) devices.push_back(d % 2 == 0 ? Counts{100, 0} : Counts{0, 100});
  EXPECT_NEAR(design_effect(devices), 100.0 * 8 / 7, 1e-9);
  // A device without values is no device.
  devices.push_back(Counts(2));
  EXPECT_NEAR(design_effect(devices), 100.0 * 8 / 7, 1e-9);
  // Unequal devices are weighted by what they sent.
  devices.back() = Counts{2, 2};
  EXPECT_NEAR(design_effect(devices), 100.0 * 9 / 8 * 800 / 804, 0.2);
}

TEST(Drift, multiplicity_takes_back_what_chance_explains) {
  std::vector<DriftVerdict> verdicts(4);
  for (DriftVerdict& v : verdicts) v.outcome = DriftOutcome::kOk;
  verdicts[0].p_value = 1e-9;
  verdicts[0].outcome = DriftOutcome::kPage;
  verdicts[1].p_value = 0.009;  // significant alone, not among three
  verdicts[1].outcome = DriftOutcome::kWarn;
  verdicts[2].p_value = 0.7;
  verdicts[3].outcome = DriftOutcome::kInsufficientData;
  adjust(verdicts);
  EXPECT_EQ(verdicts[0].outcome, DriftOutcome::kPage);
  EXPECT_EQ(verdicts[1].outcome, DriftOutcome::kOk);
  EXPECT_DOUBLE_EQ(verdicts[1].p_adjusted, 0.0135);
  EXPECT_EQ(verdicts[3].outcome, DriftOutcome::kInsufficientData);
  // Boundary ties are rejections: p <= q i / m.
  EXPECT_LE(benjamini_hochberg(std::vector<double>{0.05, 0.05})[0], 0.05);
}

}  // namespace
}  // namespace covey::monitoring
