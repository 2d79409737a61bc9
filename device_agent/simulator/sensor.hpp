// SPDX-License-Identifier: Apache-2.0
// The sensor of one simulated device, the firmware's preprocessing, and the true condition of the
// machine: examples/bearing_vibration behind one call. It is the physical world: it lives on when
// the device loses power. Not thread-safe per sensor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "examples/bearing_vibration/signal/features.h"
#include "examples/bearing_vibration/signal/generator.h"

namespace covey::simulator {

// What the simulated firmware's preprocessing code is known as in manifests (preprocessing_id).
constexpr uint32_t kBearingPreprocessing = 1;

struct Reading {
  int8_t features[COVEY_BEARING_FEATURES] = {};
  uint32_t true_class = 0;
  int preprocessing_us = 0;
};

class Sensor {
 public:
  Sensor(uint64_t seed, std::string_view machine_type);

  // Takes the next window. Without parameters (a model that brings none) features are the raw ones,
  // clamped. False when the parameters cannot be used by this firmware.
  bool read(std::span<const uint8_t> parameters, Reading* reading);

  void set_gain(double factor) { covey_bearing_set_gain_factor(&device_, factor); }
  void set_noise(double lsb) { covey_bearing_set_added_noise(&device_, lsb); }
  void set_stuck(bool stuck) { covey_bearing_set_stuck(&device_, stuck); }
  void set_machine(std::string_view machine_type);
  std::string machine_type() const;

 private:
  covey_bearing_device_t device_{};
};

}  // namespace covey::simulator
