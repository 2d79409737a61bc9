// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/localise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "monitoring/drift/model.hpp"
#include "tests/unit/monitoring/random.hpp"
#include "tests/unit/monitoring/simulated_fleet.hpp"

namespace covey::monitoring {
namespace {

using testing::FeatureBins;
using testing::fleet;
using testing::FleetOptions;
using testing::kBins;
using testing::Random;

std::vector<size_t> range(size_t from, size_t to) {
  std::vector<size_t> indexes(to - from);
  std::iota(indexes.begin(), indexes.end(), from);
  return indexes;
}

SubjectJudgement judge_alone(const Counts& baseline, const std::vector<Counts>& devices) {
  const JudgedSubject subject{SubjectKind::kFeature, "rms", 0, baseline, devices};
  return judge_model({&subject, 1}).front();
}

TEST(Localise, property_names_exactly_the_hall_whose_sensors_lost_gain) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const FeatureBins bins(seed);
    Random random(seed + 500);
    const size_t hall = seed % 4;  // of four halls with 15 devices
    const double gain = 0.5 + 0.15 * random.uniform();
    const std::vector<Counts> devices =
        fleet(bins, random, {}, [&](size_t d) { return d / 15 == hall ? gain : 1.0; });
    const SubjectJudgement j = judge_alone(bins.baseline(), devices);
    ASSERT_EQ(j.where.devices, range(hall * 15, hall * 15 + 15))
        << "seed " << seed << ": " << j.explanation;
    EXPECT_EQ(j.where.locus, Locus::kCohort);
    EXPECT_EQ(j.outcome, DriftOutcome::kPage);
  }
}

TEST(Localise, property_names_nobody_in_a_healthy_fleet_with_natural_spread) {
  int none = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const FeatureBins bins(seed);
    Random random(seed + 900);
    FleetOptions options;
    options.n = 100 + 400 * (seed % 3);
    options.gain_sd = 0.03 + 0.04 * random.uniform();
    const std::vector<Counts> devices = fleet(bins, random, options, [](size_t) { return 1.0; });
    const SubjectJudgement j = judge_alone(bins.baseline(), devices);
    EXPECT_TRUE(j.where.devices.empty()) << "seed " << seed << ": " << j.explanation;
    EXPECT_NE(j.outcome, DriftOutcome::kPage) << "seed " << seed << ": " << j.explanation;
    none += j.where.locus == Locus::kNone ? 1 : 0;
  }
  EXPECT_GE(none, 195);
}

TEST(Localise, property_one_bad_sensor_is_a_device_fault_not_a_model_alarm) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const FeatureBins bins(seed);
    Random random(seed + 77);
    std::vector<Counts> devices =
        fleet(bins, random, {40, 300, 0.04, 0.03}, [](size_t) { return 1.0; });
    const size_t stuck = random.below(40);
    devices[stuck] = Counts(kBins);
    devices[stuck][random.below(kBins)] = 300;  // flat line
    const SubjectJudgement j = judge_alone(bins.baseline(), devices);
    ASSERT_EQ(j.where.devices, std::vector<size_t>{stuck}) << "seed " << seed;
    EXPECT_EQ(j.where.locus, Locus::kHeterogeneous) << "seed " << seed;
  }
}

TEST(Localise, property_when_the_world_moves_nobody_is_blamed) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const FeatureBins bins(seed);
    Random random(seed + 55);
    const std::vector<Counts> devices = fleet(bins, random, {}, [](size_t) { return 0.6; });
    const SubjectJudgement j = judge_alone(bins.baseline(), devices);
    EXPECT_EQ(j.where.locus, Locus::kPooled) << "seed " << seed;
    EXPECT_TRUE(j.where.devices.empty());
    EXPECT_EQ(j.outcome, DriftOutcome::kPage);
  }
}

TEST(Localise, a_small_shift_of_everybody_is_pooled) {
  const FeatureBins bins(1);
  Random random(2);
  const std::vector<Counts> devices =
      fleet(bins, random, {40, 2000, 0.02, 0.01}, [](size_t) { return 0.9; });
  const Localisation where = localise(bins.baseline(), devices);
  EXPECT_EQ(where.locus, Locus::kPooled) << where.explanation;
  EXPECT_TRUE(where.devices.empty());
}

TEST(Localise, the_moved_bins_are_named) {
  const FeatureBins bins(1);
  Random random(3);
  std::vector<Counts> devices =
      fleet(bins, random, {20, 300, 0.02, 0.01}, [](size_t d) { return d == 4 ? 0.3 : 1.0; });
  const Localisation where = localise(bins.baseline(), devices);
  ASSERT_EQ(where.devices, std::vector<size_t>{4});
  ASSERT_FALSE(where.bins.empty());
  EXPECT_EQ(where.bins[0].bin, 0U);
  EXPECT_GT(where.bins[0].shift, 0.5);
  EXPECT_LE(where.bins.size(), 3U);
}

TEST(Localise, too_little_evidence_is_insufficient_and_names_nobody) {
  const FeatureBins bins(1);
  Random random(4);
  std::vector<Counts> devices = fleet(bins, random, {4, 400, 0.0, 0.0}, [](size_t) { return 0.3; });
  EXPECT_EQ(localise(bins.baseline(), devices).locus, Locus::kInsufficient);
  devices.resize(30, Counts(kBins));  // silent devices don't help
  devices.push_back(Counts{1, 2});    // neither do foreign bins
  const Localisation where = localise(bins.baseline(), devices);
  EXPECT_EQ(where.locus, Locus::kInsufficient);
  EXPECT_TRUE(where.devices.empty());
  EXPECT_EQ(where.per_device.size(), devices.size());
  EXPECT_EQ(localise(bins.baseline(), {}).locus, Locus::kInsufficient);
  EXPECT_EQ(localise({}, devices).locus, Locus::kInsufficient);
}

TEST(Localise, property_g_partition_is_exact) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Counts baseline;
    for (int b = 0; b < 6; ++b) baseline.push_back(random.below(50));
    baseline[0] += 1;
    std::vector<Counts> devices(1 + random.below(9), Counts(6));
    for (Counts& device : devices) {
      for (uint64_t& cell : device) cell = random.below(30);
    }
    const GPartition g = g_partition(baseline, devices);
    EXPECT_NEAR(g.total, g.pooled + g.heterogeneity, 1e-9 * (1 + g.total));
    EXPECT_EQ(g.df_total, g.df_pooled + g.df_heterogeneity);
    EXPECT_GE(g.pooled, -1e-9);
  }
}

TEST(JudgeModel, property_ten_features_alarm_no_more_often_than_one) {
  DriftOptions strict;  // no tolerance: what is left is the level of the test
  strict.warn_psi = Ratio{0};
  strict.alpha = Ratio::percent(5);
  constexpr int kWindows = 300;
  constexpr size_t kFeatures = 10;
  std::vector<FeatureBins> features;
  for (size_t f = 0; f < kFeatures; ++f) features.emplace_back(700 + f);
  Random random(710);
  int first = 0;  // alarms of the first feature judged alone
  int any = 0;    // windows with an alarm of any of the ten
  for (int window = 0; window < kWindows; ++window) {
    std::vector<JudgedSubject> subjects;
    for (size_t f = 0; f < kFeatures; ++f) {
      const FleetOptions alike{.devices = 10, .n = 60, .gain_sd = 0, .offset_sd = 0};
      subjects.push_back({SubjectKind::kFeature, "f", f, features[f].baseline(),
                          fleet(features[f], random, alike, [](size_t) { return 1.0; })});
    }
    const auto alarms = [&](std::span<const JudgedSubject> judged) {
      const auto judgements = judge_model(judged, strict);
      return std::any_of(judgements.begin(), judgements.end(), [](const SubjectJudgement& j) {
        return j.outcome == DriftOutcome::kWarn || j.outcome == DriftOutcome::kPage;
      });
    };
    first += alarms({subjects.data(), 1}) ? 1 : 0;
    any += alarms(subjects) ? 1 : 0;
  }
  EXPECT_GE(first, kWindows / 100);  // the test is not asleep
  EXPECT_LE(first, kWindows * 8 / 100);
  EXPECT_LE(any, kWindows * 8 / 100);
}

TEST(Localise, loci_are_stable_text) {
  for (const auto locus : {Locus::kNone, Locus::kPooled, Locus::kHeterogeneous, Locus::kCohort,
                           Locus::kInsufficient}) {
    EXPECT_EQ(parse_locus(to_string(locus)), locus);
  }
}

}  // namespace
}  // namespace covey::monitoring
