// SPDX-License-Identifier: Apache-2.0
// A healthy fleet looks like the validation data, so that nobody is alarmed about it; one with weak
// sensors does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "examples/bearing_vibration/signal/features.h"
#include "examples/bearing_vibration/signal/generator.h"
#include "tests/unit/bearing/committed.hpp"

namespace covey::bearing {
namespace {

using Counts = std::vector<int64_t>;

// Population stability index with half a count added everywhere (Jeffreys).
double psi(const Counts& now, const Counts& reference) {
  double n = 0;
  double m = 0;
  for (size_t b = 0; b < now.size(); b++) {
    n += static_cast<double>(now[b]) + 0.5;
    m += static_cast<double>(reference[b]) + 0.5;
  }
  double sum = 0;
  for (size_t b = 0; b < now.size(); b++) {
    const double p = (static_cast<double>(now[b]) + 0.5) / n;
    const double q = (static_cast<double>(reference[b]) + 0.5) / m;
    sum += (p - q) * std::log(p / q);
  }
  return sum;
}

struct Fleet {
  uint64_t seed;
  int devices_per_machine;
  int windows;
  double gain = 1;
};

// Per feature the bin counts of the whole fleet, equal parts of every machine type.
std::vector<Counts> observed(const Fleet& fleet, const nlohmann::json& stats) {
  const auto params = committed_params();
  std::vector<std::vector<int>> edges;
  std::vector<Counts> counts;
  for (const auto& feature : stats.at("features")) {
    edges.push_back(feature.at("edges").get<std::vector<int>>());
    counts.emplace_back(edges.back().size() + 1, 0);
  }
  const int devices = fleet.devices_per_machine * COVEY_BEARING_MACHINES;
  for (int d = 0; d < devices; d++) {
    covey_bearing_device_t device;
    const auto machine = static_cast<covey_bearing_machine_t>(d % COVEY_BEARING_MACHINES);
    covey_bearing_device_init(&device, covey_bearing_mix(fleet.seed, static_cast<uint64_t>(d)),
                              machine);
    covey_bearing_set_gain_factor(&device, fleet.gain);
    for (int w = 0; w < fleet.windows; w++) {
      std::array<int16_t, COVEY_BEARING_WINDOW> samples{};
      std::array<int8_t, COVEY_BEARING_FEATURES> input{};
      covey_bearing_next_window(&device, samples.data());
      covey_bearing_features(samples.data(), samples.size(), &params, input.data());
      for (size_t f = 0; f < input.size(); f++) {
        const auto edge = std::lower_bound(edges[f].begin(), edges[f].end(), int{input[f]});
        counts[f][static_cast<size_t>(edge - edges[f].begin())]++;
      }
    }
  }
  return counts;
}

std::vector<double> drift(const Fleet& fleet) {
  const auto stats = committed_stats("bearing-1.1.0");
  const auto counts = observed(fleet, stats);
  std::vector<double> result;
  for (size_t f = 0; f < counts.size(); f++) {
    result.push_back(psi(counts[f], stats["features"][f]["counts"].get<Counts>()));
  }
  return result;
}

TEST(Fleet, HealthyManyDevicesMatchValidation) {
  const auto values = drift({.seed = 1001, .devices_per_machine = 150, .windows = 40});
  for (size_t f = 0; f < values.size(); f++) {
    EXPECT_LT(values[f], 0.005) << covey_bearing_feature_name(f);
  }
}

// As few as the demo has: now each unit's own spread is part of the sample.
TEST(Fleet, HealthySmallFleetsMatchValidation) {
  double worst = 0;
  for (const uint64_t seed : {2001, 2002, 2003, 2004, 2005}) {
    const auto values = drift({.seed = seed, .devices_per_machine = 20, .windows = 60});
    worst = std::max(worst, *std::max_element(values.begin(), values.end()));
  }
  RecordProperty("worst_psi", std::to_string(worst));
  EXPECT_LT(worst, 0.02);
}

TEST(Fleet, LostGainIsSeenInRmsOnly) {
  const auto values = drift({.seed = 3001, .devices_per_machine = 20, .windows = 40, .gain = 0.5});
  EXPECT_GT(values[0], 1.0);
  for (size_t f = 1; f < values.size(); f++) {
    EXPECT_LT(values[f], 0.02) << covey_bearing_feature_name(f);
  }
}

// What a reader of stats.json relies on.
TEST(Stats, AreConsistent) {
  for (const std::string model : {"bearing-1.0.0", "bearing-1.1.0", "bearing-1.2.0",
                                  "bearing-1.2.0-equal", "bearing-1.3.0"}) {
    SCOPED_TRACE(model);
    const auto stats = committed_stats(model);
    const auto total = stats["validation"]["n"].get<int64_t>();
    const auto sum = [](const nlohmann::json& list) {
      int64_t result = 0;
      for (const auto& value : list) result += value.get<int64_t>();
      return result;
    };
    EXPECT_EQ(stats["model"], "bearing-vibration");
    ASSERT_EQ(stats["classes"].size(), size_t{COVEY_BEARING_CLASSES});
    for (int c = 0; c < COVEY_BEARING_CLASSES; c++) {
      EXPECT_EQ(stats["classes"][static_cast<size_t>(c)],
                covey_bearing_class_name(static_cast<covey_bearing_class_t>(c)));
    }
    ASSERT_EQ(stats["features"].size(), size_t{COVEY_BEARING_FEATURES});
    for (size_t f = 0; f < COVEY_BEARING_FEATURES; f++) {
      const auto& feature = stats["features"][f];
      const auto edges = feature["edges"].get<std::vector<int>>();
      EXPECT_EQ(feature["name"], covey_bearing_feature_name(f));
      EXPECT_EQ(std::adjacent_find(edges.begin(), edges.end(), std::greater_equal<>()),
                edges.end());
      EXPECT_EQ(feature["counts"].size(), edges.size() + 1);
      EXPECT_EQ(sum(feature["counts"]), total);
      EXPECT_LT(feature["min"].get<int>(), feature["max"].get<int>());
    }
    EXPECT_EQ(sum(stats["class_counts"]), total);
    EXPECT_EQ(sum(stats["confidence_counts"]), total);
    ASSERT_EQ(stats["calibration"].size(), 16U);
    int64_t correct = 0;
    for (size_t b = 0; b < 16; b++) {
      EXPECT_EQ(stats["calibration"][b]["n"], stats["confidence_counts"][b]);
      correct += stats["calibration"][b]["correct"].get<int64_t>();
    }
    int64_t diagonal = 0;
    for (size_t c = 0; c < COVEY_BEARING_CLASSES; c++) {
      diagonal += stats["confusion"][c][c].get<int64_t>();
    }
    EXPECT_EQ(diagonal, correct);
  }
}

}  // namespace
}  // namespace covey::bearing
