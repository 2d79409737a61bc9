// SPDX-License-Identifier: Apache-2.0
// Who is in the simulated fleet: a pure function of the seed and the options, so that a restart,
// the demo and the tests see the same devices. Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/result.hpp"

namespace covey::simulator {

struct ClassSpec {
  std::string name;
  uint32_t count = 0;
  uint32_t slot_bytes = 0;
  uint32_t arena_bytes = 0;
  uint32_t message_bytes_max = 0;
};

struct FleetOptions {
  std::vector<ClassSpec> classes;
  std::string id_prefix = "dev-";
  uint64_t seed = 1;
  uint32_t small = 0;    // devices whose slot is too small for any real model
  uint32_t offline = 0;  // devices that enrol and then stay away until told
};

struct DeviceSpec {
  uint32_t index = 0;
  std::string id;
  std::string device_class;
  std::string hall;          // hall-1 to hall-4
  std::string machine_type;  // pump, fan, press
  uint32_t slot_bytes = 0;
  uint32_t arena_bytes = 0;
  uint32_t message_bytes_max = 0;
  bool small = false;
  bool offline = false;
  uint64_t seed = 0;  // of everything random in this device
};

constexpr uint32_t kSlotBytesSmall = 12 * 1024;
constexpr uint32_t kFleetMax = 20000;

// "m4f-256k:50,m0-64k:10" or with sizes in KiB "name:count:slot:arena"; names without sizes must be
// one of the built-in classes. Errors: BAD_CLASSES.
Result<std::vector<ClassSpec>> parse_classes(std::string_view text);

// Errors: BAD_FLEET when small and offline devices do not fit, or there are too many.
Result<std::vector<DeviceSpec>> assign_fleet(const FleetOptions& options);

// What fleet.json holds: {"seed", "devices": [{"id", "class", "hall", "machine_type", ...}]}.
nlohmann::json to_json(const std::vector<DeviceSpec>& fleet, uint64_t seed);

}  // namespace covey::simulator
