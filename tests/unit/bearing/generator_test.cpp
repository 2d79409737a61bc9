// SPDX-License-Identifier: Apache-2.0
// The world is the same everywhere, and a sensor fault changes the sensor only.
#include "examples/bearing_vibration/signal/generator.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <vector>

namespace {

using Window = std::array<int16_t, COVEY_BEARING_WINDOW>;

covey_bearing_device_t device_of(uint64_t seed,
                                 covey_bearing_machine_t machine = COVEY_BEARING_PUMP) {
  covey_bearing_device_t device;
  covey_bearing_device_init(&device, seed, machine);
  return device;
}

struct Taken {
  Window samples;
  covey_bearing_class_t truth;
};

Taken take(covey_bearing_device_t& device) {
  Taken taken{};
  taken.truth = covey_bearing_next_window(&device, taken.samples.data());
  return taken;
}

// FNV-1a over samples and classes of the first windows of one device.
uint64_t fingerprint(covey_bearing_machine_t machine) {
  auto device = device_of(42, machine);
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  const auto mix = [&hash](unsigned byte) {
    hash = (hash ^ (byte & 0xff)) * UINT64_C(0x100000001b3);
  };
  for (int w = 0; w < 8; w++) {
    const auto taken = take(device);
    for (const int16_t sample : taken.samples) {
      mix(static_cast<unsigned>(sample));
      mix(static_cast<unsigned>(sample) >> 8);
    }
    mix(taken.truth);
  }
  return hash;
}

// When these change, every committed model was trained on another world: run train.py again.
TEST(Generator, GivesTheSameSamplesOnEveryBuild) {
  EXPECT_EQ(fingerprint(COVEY_BEARING_PUMP), UINT64_C(12346028562944506335));
  EXPECT_EQ(fingerprint(COVEY_BEARING_FAN), UINT64_C(8853708727433476558));
  EXPECT_EQ(fingerprint(COVEY_BEARING_PRESS), UINT64_C(13304530509534679928));
}

TEST(Generator, SeedsGiveDifferentUnits) {
  auto one = device_of(1);
  auto two = device_of(2);
  EXPECT_NE(one.unit_gain, two.unit_gain);
  EXPECT_NE(take(one).samples, take(two).samples);
}

TEST(Generator, ClassesFollowTheMixWhateverTheDwell) {
  for (const int dwell : {1, 6}) {
    auto device = device_of(7);
    covey_bearing_set_class_dwell(&device, dwell);
    std::array<int, COVEY_BEARING_CLASSES> seen{};
    int changes = 0;
    covey_bearing_class_t before = device.class_id;
    const int windows = 6000;
    for (int w = 0; w < windows; w++) {
      const auto truth = take(device).truth;
      seen.at(truth)++;
      changes += truth != before;
      before = truth;
    }
    for (size_t c = 0; c < seen.size(); c++) {
      EXPECT_NEAR(seen[c] * 100.0 / windows, covey_bearing_class_percent[c], 4) << dwell << c;
    }
    // A fresh draw repeats the class with probability 0.4^2 + 3 * 0.2^2 = 0.28.
    EXPECT_NEAR(changes * 1.0 / windows, 0.72 / dwell, 0.03);
  }
}

TEST(Generator, GainLossScalesTheSameWorld) {
  auto healthy = device_of(3);
  auto weak = device_of(3);
  covey_bearing_set_gain_factor(&weak, 0.5);
  for (int w = 0; w < 5; w++) {
    const auto a = take(healthy);
    const auto b = take(weak);
    EXPECT_EQ(a.truth, b.truth);
    for (size_t i = 0; i < a.samples.size(); i++) {
      // The electronics' own noise (12 LSB) stays as it is.
      EXPECT_NEAR(b.samples[i], a.samples[i] / 2.0, 12 * 1.5 * 3.5 / 2 + 1);
    }
  }
}

TEST(Generator, StuckSensorRepeatsItsLastSampleAndRecovers) {
  auto healthy = device_of(4);
  auto faulty = device_of(4);
  const int16_t last = take(faulty).samples.back();
  take(healthy);
  covey_bearing_set_stuck(&faulty, true);
  for (int w = 0; w < 3; w++) {
    const auto taken = take(faulty);
    EXPECT_EQ(taken.truth, take(healthy).truth);
    for (const int16_t sample : taken.samples) EXPECT_EQ(sample, last);
  }
  covey_bearing_set_stuck(&faulty, false);
  EXPECT_EQ(take(faulty).samples, take(healthy).samples);
}

TEST(Generator, AddedNoiseLeavesTheWorldAlone) {
  auto healthy = device_of(5);
  auto noisy = device_of(5);
  covey_bearing_set_added_noise(&noisy, 300);
  const auto a = take(healthy);
  const auto b = take(noisy);
  EXPECT_EQ(a.truth, b.truth);
  double difference = 0;
  for (size_t i = 0; i < a.samples.size(); i++) {
    difference += (b.samples[i] - a.samples[i]) * (b.samples[i] - a.samples[i]);
  }
  EXPECT_NEAR(difference / COVEY_BEARING_WINDOW, 300.0 * 300.0, 0.25 * 300 * 300);
  covey_bearing_set_added_noise(&noisy, 0);
  EXPECT_EQ(take(noisy).samples, take(healthy).samples);
}

TEST(Generator, MovingASensorKeepsItsClassesAndComesBack) {
  auto stays = device_of(6);
  auto moves = device_of(6);
  covey_bearing_set_machine(&moves, COVEY_BEARING_PRESS);
  const auto a = take(stays);
  const auto b = take(moves);
  EXPECT_EQ(a.truth, b.truth);
  EXPECT_NE(a.samples, b.samples);
  covey_bearing_set_machine(&moves, COVEY_BEARING_PUMP);
  EXPECT_EQ(take(stays).samples, take(moves).samples);
}

TEST(Generator, AbsurdModifiersAreClamped) {
  auto device = device_of(8);
  covey_bearing_set_gain_factor(&device, 1e30);
  covey_bearing_set_added_noise(&device, -5);
  covey_bearing_set_class_dwell(&device, -1);
  EXPECT_EQ(device.gain_factor, 16);
  EXPECT_EQ(device.added_noise, 0);
  EXPECT_EQ(device.class_dwell, 1);
  for (const int16_t sample : take(device).samples) EXPECT_LE(std::abs(int{sample}), 32767);
}

TEST(Machine, NamesGoBothWays) {
  for (int m = 0; m < COVEY_BEARING_MACHINES; m++) {
    const auto machine = static_cast<covey_bearing_machine_t>(m);
    covey_bearing_machine_t found = COVEY_BEARING_PUMP;
    ASSERT_TRUE(covey_bearing_machine_from_name(covey_bearing_machine_name(machine), &found));
    EXPECT_EQ(found, machine);
  }
  covey_bearing_machine_t unchanged = COVEY_BEARING_FAN;
  EXPECT_FALSE(covey_bearing_machine_from_name("lathe", &unchanged));
  EXPECT_EQ(unchanged, COVEY_BEARING_FAN);
}

}  // namespace
