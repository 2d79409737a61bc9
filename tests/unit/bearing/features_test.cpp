// SPDX-License-Identifier: Apache-2.0
// The integer features against signals whose features are known on paper, and against recorded
// values: firmware, simulator and training must agree to the last bit.
#include "examples/bearing_vibration/signal/features.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "examples/bearing_vibration/signal/generator.h"
#include "tests/unit/bearing/committed.hpp"

namespace covey::bearing {
namespace {

constexpr double kPi = 3.14159265358979;

enum Feature { kRms, kKurtosis, kZeroCrossings, kLow, kHigh, kCrest, kPeriod, kStrength };

using Raw = std::array<int32_t, COVEY_BEARING_FEATURES>;
using Input = std::array<int8_t, COVEY_BEARING_FEATURES>;

Raw raw_of(const std::vector<int16_t>& samples) {
  Raw raw{};
  EXPECT_EQ(covey_bearing_features_raw(samples.data(), samples.size(), raw.data()),
            COVEY_BEARING_OK);
  return raw;
}

std::vector<int16_t> sine(double hz, double amplitude, double offset = 0, size_t n = 512) {
  std::vector<int16_t> samples(n);
  for (size_t i = 0; i < n; i++) {
    const double phase = 2 * kPi * hz * static_cast<double>(i) / COVEY_BEARING_SAMPLE_HZ + 0.1;
    samples[i] = static_cast<int16_t>(std::lround(offset + amplitude * std::sin(phase)));
  }
  return samples;
}

TEST(Features, OfASineAreThoseOfTheBook) {
  const auto raw = raw_of(sine(50, 2000, 700));                     // four periods, with an offset
  EXPECT_NEAR(raw[kRms], 256 * std::log2(2000 / std::sqrt(2)), 2);  // 2680
  EXPECT_NEAR(raw[kKurtosis], 256 * std::log2(1.5), 3);             // of any sine
  EXPECT_NEAR(raw[kZeroCrossings], 8, 1);
  EXPECT_GT(raw[kLow], -256);       // nearly all of it is low
  EXPECT_LT(raw[kHigh], -5 * 256);  // nearly nothing is high
}

TEST(Features, OfASquareWave) {
  std::vector<int16_t> samples(512);
  for (size_t i = 0; i < samples.size(); i++) samples[i] = i / 2 % 2 == 0 ? 1000 : -1000;
  const auto raw = raw_of(samples);
  EXPECT_NEAR(raw[kRms], 256 * std::log2(1000.0), 1);
  EXPECT_NEAR(raw[kKurtosis], 0, 2);
  EXPECT_EQ(raw[kZeroCrossings], 255);
  EXPECT_GT(raw[kHigh], raw[kLow]);
}

// Short 2 kHz bursts: the period is found to a sixteenth of the envelope's own resolution.
TEST(Features, FindThePeriodOfImpacts) {
  for (const size_t period : {24, 40, 80, 100}) {
    std::vector<int16_t> samples(512, 0);
    for (size_t i = 0; i < samples.size(); i++) {
      const double t = static_cast<double>(i % period);
      const double ringing = std::sin(2 * kPi * 2000 * t / COVEY_BEARING_SAMPLE_HZ);
      samples[i] = static_cast<int16_t>(std::lround(8000 * std::exp(-t / 8) * ringing));
    }
    const auto raw = raw_of(samples);
    EXPECT_NEAR(raw[kPeriod], 256 * std::log2(static_cast<double>(period)), 12) << period;
    EXPECT_GT(raw[kStrength], 200) << period;
    EXPECT_GT(raw[kKurtosis], 256 * std::log2(3.0)) << period;  // more peaked than noise
  }
}

TEST(Features, OfAFlatLineAreDefined) {
  for (const int level : {0, 1, -5, 32767, -32768}) {
    const std::vector<int16_t> samples(512, static_cast<int16_t>(level));
    EXPECT_EQ(raw_of(samples), Raw{}) << level;
  }
}

TEST(Features, OfExtremesDoNotOverflow) {
  std::vector<int16_t> samples(512);
  for (size_t i = 0; i < samples.size(); i++) {
    samples[i] =
        i % 2 == 0 ? std::numeric_limits<int16_t>::min() : std::numeric_limits<int16_t>::max();
  }
  EXPECT_NEAR(raw_of(samples)[kRms], 256 * std::log2(32767.5), 1);
  for (auto& sample : samples) sample = std::numeric_limits<int16_t>::max();
  samples[300] = std::numeric_limits<int16_t>::min();
  EXPECT_NEAR(raw_of(samples)[kKurtosis], 256 * std::log2(512.0), 8);  // one spike in n: about n
}

TEST(Features, RefuseOtherSampleCounts) {
  const std::vector<int16_t> samples(1024, 1);
  Raw raw;
  raw.fill(77);
  for (const size_t n : {0, 4, 128, 252, 258, 511, 516, 1024}) {
    EXPECT_EQ(covey_bearing_features_raw(samples.data(), n, raw.data()),
              COVEY_BEARING_BAD_SAMPLE_COUNT)
        << n;
  }
  EXPECT_EQ(raw[0], 77);
  EXPECT_EQ(covey_bearing_features_raw(samples.data(), 256, raw.data()), COVEY_BEARING_OK);
}

TEST(Features, ScaleRoundsAndSaturates) {
  const covey_bearing_scaling_t scaling{100, 3, 1};
  EXPECT_EQ(covey_bearing_scale(&scaling, 100), 0);
  EXPECT_EQ(covey_bearing_scale(&scaling, 101), 2);  // 1.5, halves up
  EXPECT_EQ(covey_bearing_scale(&scaling, 99), -1);  // -1.5
  EXPECT_EQ(covey_bearing_scale(&scaling, 1000), 127);
  EXPECT_EQ(covey_bearing_scale(&scaling, -1000), -128);
  EXPECT_EQ(covey_bearing_scale(&scaling, std::numeric_limits<int32_t>::min()), -128);
}

// Recorded. When these change, the committed models no longer see what they were trained on.
TEST(Features, OfTheFirstWindowsAreRecorded) {
  const auto params = committed_params();
  const std::array<Input, 3> expected = {{{-13, -9, 16, 2, 10, -43, 2, -16},
                                          {-25, -19, -5, -2, -6, -36, 3, -17},
                                          {-4, -4, 8, 19, 6, 8, -128, -51}}};
  for (int m = 0; m < COVEY_BEARING_MACHINES; m++) {
    covey_bearing_device_t device;
    covey_bearing_device_init(&device, 42, static_cast<covey_bearing_machine_t>(m));
    std::array<int16_t, COVEY_BEARING_WINDOW> samples{};
    covey_bearing_next_window(&device, samples.data());
    Input input{};
    ASSERT_EQ(covey_bearing_features(samples.data(), samples.size(), &params, input.data()),
              COVEY_BEARING_OK);
    EXPECT_EQ(input, expected.at(static_cast<size_t>(m)))
        << covey_bearing_machine_name(device.machine);
  }
}

// Half the gain is one bit less of RMS: over two standard deviations; the rest are ratios.
TEST(Features, GainLossMovesRmsAndNothingElse) {
  const auto params = committed_params();
  for (int m = 0; m < COVEY_BEARING_MACHINES; m++) {
    std::array<double, COVEY_BEARING_FEATURES> moved{};
    covey_bearing_device_t healthy;
    covey_bearing_device_init(&healthy, 9, static_cast<covey_bearing_machine_t>(m));
    auto weak = healthy;
    covey_bearing_set_gain_factor(&weak, 0.5);
    const int windows = 100;
    for (int w = 0; w < windows; w++) {
      std::array<int16_t, COVEY_BEARING_WINDOW> samples{};
      Input a{};
      Input b{};
      covey_bearing_next_window(&healthy, samples.data());
      covey_bearing_features(samples.data(), samples.size(), &params, a.data());
      covey_bearing_next_window(&weak, samples.data());
      covey_bearing_features(samples.data(), samples.size(), &params, b.data());
      for (size_t i = 0; i < a.size(); i++) moved[i] += (b[i] - a[i]) * 1.0 / windows;
    }
    EXPECT_LT(moved[kRms], -70);
    for (size_t i = 1; i < moved.size(); i++) {
      EXPECT_NEAR(moved[i], 0, 2) << covey_bearing_feature_name(i);
    }
  }
}

}  // namespace
}  // namespace covey::bearing
