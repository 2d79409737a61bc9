// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/sensor.hpp"

#include <algorithm>
#include <chrono>

#include "core/assert.hpp"

namespace covey::simulator {
namespace {

covey_bearing_machine_t machine_of(std::string_view name) {
  covey_bearing_machine_t machine = COVEY_BEARING_PUMP;
  COVEY_ASSERT(covey_bearing_machine_from_name(std::string(name).c_str(), &machine));
  return machine;
}

}  // namespace

Sensor::Sensor(uint64_t seed, std::string_view machine_type) {
  covey_bearing_device_init(&device_, seed, machine_of(machine_type));
}

void Sensor::set_machine(std::string_view machine_type) {
  covey_bearing_set_machine(&device_, machine_of(machine_type));
}

std::string Sensor::machine_type() const { return covey_bearing_machine_name(device_.machine); }

bool Sensor::read(std::span<const uint8_t> parameters, Reading* reading) {
  int16_t samples[COVEY_BEARING_WINDOW];
  reading->true_class = static_cast<uint32_t>(covey_bearing_next_window(&device_, samples));
  const auto start = std::chrono::steady_clock::now();
  if (parameters.empty()) {
    int32_t raw[COVEY_BEARING_FEATURES];
    if (covey_bearing_features_raw(samples, COVEY_BEARING_WINDOW, raw) != COVEY_BEARING_OK) {
      return false;
    }
    for (size_t i = 0; i < COVEY_BEARING_FEATURES; i++) {
      reading->features[i] = static_cast<int8_t>(std::clamp(raw[i], -128, 127));
    }
  } else {
    covey_bearing_params_t parsed;
    if (covey_bearing_params_parse(parameters.data(), parameters.size(), &parsed) !=
            COVEY_BEARING_OK ||
        covey_bearing_features(samples, COVEY_BEARING_WINDOW, &parsed, reading->features) !=
            COVEY_BEARING_OK) {
      return false;
    }
  }
  reading->preprocessing_us =
      static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - start)
                           .count());
  return true;
}

}  // namespace covey::simulator
