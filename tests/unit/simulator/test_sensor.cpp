// SPDX-License-Identifier: Apache-2.0
// The sensor behind the devices: what the scenario's actions do to what the firmware computes.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <vector>

#include "device_agent/simulator/sensor.hpp"
#include "tests/paths.hpp"

namespace covey::simulator {
namespace {

std::vector<uint8_t> parameters() {
  std::ifstream in(covey::test::source_path("examples/bearing_vibration/models/preprocessing.bin"),
                   std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

double mean_rms(Sensor& sensor) {
  const std::vector<uint8_t> blob = parameters();
  double sum = 0;
  for (int i = 0; i < 200; i++) {
    Reading reading;
    EXPECT_TRUE(sensor.read(blob, &reading));
    EXPECT_LT(reading.true_class, 4u);
    sum += reading.features[0];
  }
  return sum / 200;
}

TEST(Sensor, HalfTheGainMovesTheRmsFeature) {
  Sensor healthy(7, "pump");
  Sensor weak(7, "pump");
  weak.set_gain(0.5);
  EXPECT_GT(mean_rms(healthy), mean_rms(weak) + 30);
}

TEST(Sensor, TheSameSeedShowsTheSameWorld) {
  Sensor one(9, "fan");
  Sensor two(9, "fan");
  EXPECT_EQ(mean_rms(one), mean_rms(two));
  two.set_machine("press");
  EXPECT_EQ(two.machine_type(), "press");
}

TEST(Sensor, AStuckSensorIsFlat) {
  Sensor sensor(3, "press");
  sensor.set_stuck(true);
  Reading first;
  Reading second;
  ASSERT_TRUE(sensor.read(parameters(), &first));
  ASSERT_TRUE(sensor.read(parameters(), &second));
  EXPECT_TRUE(std::equal(std::begin(first.features), std::end(first.features),
                         std::begin(second.features)));
}

TEST(Sensor, ParametersOfAnotherFirmwareAreRefused) {
  Sensor sensor(3, "press");
  Reading reading;
  std::vector<uint8_t> blob = parameters();
  blob[4] = 99;  // version
  EXPECT_FALSE(sensor.read(blob, &reading));
  EXPECT_TRUE(sensor.read({}, &reading));
}

}  // namespace
}  // namespace covey::simulator
