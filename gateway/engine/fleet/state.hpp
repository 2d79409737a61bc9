// The fleet's part of the state: devices, and what is known of them beside their rows. Changed by
// gateway/engine/fleet only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/deployment/device.hpp"
#include "gateway/engine/config.hpp"

namespace covey::engine {

// Where the uptime of a boot lies: wall = uptime + offset, the smallest that was seen.
struct BootOffset {
  uint64_t boot_id = 0;
  Millis offset{0};
};

// Soft state: expires, is not stored.
struct Session {
  bool online = false;
  bool said_hello = false;  // since coveyd started, or since a restore was noticed
  uint32_t connection = 0;
  Millis last_heard{0};              // mono
  Millis last_heard_wall{0};         // of any message; a device's row keeps hello and status only
  std::optional<BootOffset> offset;  // of the newest boot that was heard
  std::optional<BootOffset> offset_before;  // of the one before it
  Millis last_report_observed{0};
  Millis reported_until{0};  // wall time up to which windows have come in
  Millis last_ack{0};        // mono
  Millis goal_said{0};       // mono: when a goal left that it has not shown yet; 0: none
  Millis goal_repeat = kGoalRepeatFirst;  // after this long it is said again
  uint64_t boot_before = 0;
  uint32_t boot_flaps = 0;  // two boots alternating: somebody else uses the id
};

// A device that says it has seen more than the store ever said to it.
struct AheadClaim {
  uint32_t site_epoch = 0;
  Millis made{0};  // observed
};

// Rows to be written at the end of the turn.
struct FleetRows {
  std::set<DeviceId> devices;
  std::set<DeviceId> goals;  // renewed, with a higher counter
};

struct FleetState {
  std::map<DeviceId, Device> devices;

  // Soft.
  std::map<DeviceId, Session> sessions;
  std::map<DeviceId, AheadClaim> ahead;
  std::set<DeviceId> settings_due;  // said hello while their goal says other settings
  std::set<DeviceId> ack_due;
  Millis reconciling_since{0};  // observed time; the start where it was so already
};

}  // namespace covey::engine
