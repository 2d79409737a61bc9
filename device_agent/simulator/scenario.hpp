// SPDX-License-Identifier: Apache-2.0
// A scenario: what happens to which devices, and when. Read from a YAML file or, one step at a
// time, from the control channel as JSON; both have the same keys.
//
//   steps:
//     - at: 30s
//       devices: {hall: hall-2, share: 50%}     # all keys must match; none: every device
//       action: gain 0.5
//
// Selector keys: id, class, hall, machine_type, small (bool), offline (bool), share (a ratio; which
// devices is decided by hash, so the same share is always the same devices).
// Actions: gain F | stuck [on|off] | noise LSB | machine_type pump|fan|press | offline | online |
// reboot | power_cut | pause_inference | resume_inference.
// Errors: BAD_SCENARIO with the place in the file. Thread safety: plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/ratio.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "device_agent/simulator/fleet.hpp"

namespace covey::simulator {

struct Selector {
  std::optional<std::string> id;
  std::optional<std::string> device_class;
  std::optional<std::string> hall;
  std::optional<std::string> machine_type;
  std::optional<bool> small;
  std::optional<bool> offline;
  std::optional<Ratio> share;

  bool matches(const DeviceSpec& device) const;
};

struct SetGain {
  double factor = 1;
};
struct SetStuck {
  bool stuck = true;
};
struct SetNoise {
  double lsb = 0;
};
struct SetMachine {
  std::string machine_type;
};
struct GoOffline {};
struct GoOnline {};
struct Reboot {};    // RAM is lost, flash is as it was
struct PowerCut {};  // as reboot, at a random flash operation, which may be torn
struct PauseInference {};
struct ResumeInference {};

using Action = std::variant<SetGain, SetStuck, SetNoise, SetMachine, GoOffline, GoOnline, Reboot,
                            PowerCut, PauseInference, ResumeInference>;

struct Step {
  Millis at{0};
  Selector devices;
  Action action;
};

Result<Action> parse_action(std::string_view text);
// `place` names the step in errors, e.g. "steps[3]".
Result<Step> parse_step(const nlohmann::json& json, std::string_view place);
// Sorted by time; steps at the same time keep their order.
Result<std::vector<Step>> parse_scenario(std::string_view yaml);

}  // namespace covey::simulator
