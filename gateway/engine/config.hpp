// What the engine is told about its site. Durations of devices are what they were configured with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.hpp"
#include "deploy/deployment/device.hpp"
#include "monitoring/alerts/alert.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/drift/localise.hpp"

namespace covey::engine {

struct EngineConfig {
  uint64_t start_id = 1;  // random per start: devices say hello when it changes
  bool auto_accept = false;
  Millis report_interval{60'000};  // of devices
  DeviceSettings settings;         // what their goals say about it, and about samples
  Millis offline_after{150'000};   // without a word
  Millis hello_jitter{2'000};
  Millis ack_interval{200};
  uint32_t report_credit = 4;
  Millis gate_interval{1'000};
  uint32_t offers_per_s = 2'000;  // new goals that start work, for the whole site
  uint32_t assignments_in_flight_max = 100;
  Millis goal_lease{10min};          // from the offer until the device begins
  Millis probation_deadline{30min};  // from PROBATION to its proof
  size_t pending_max = 20'000;       // devices that are not accepted
  Millis rollback_window{24h};  // observed: an ended rollout can be rolled back, no floor rises
  uint64_t bandwidth_bytes_per_s = 8U << 20U;
  Millis window{900'000};
  uint32_t windows_kept = 4;  // closed windows per device in memory: late counts revise them
  Millis retention{30LL * 24 * 3'600'000};  // of windows, reports, samples and labels in the store
  bool drift_enabled = true;
  monitoring::DriftOptions drift;
  monitoring::LocaliseOptions localise;
  monitoring::AlertPolicy alert_policy;
};

// Limits that keep memory bounded whatever devices and clients do.
inline constexpr size_t kDevicesMax = 200'000;
inline constexpr size_t kModelsPerDeviceMax = 8;
inline constexpr size_t kLabelsPerDeviceMax = 32;  // operator labels: key/value
inline constexpr size_t kSamplesPerDeviceMax = 16'384;
inline constexpr size_t kLabelsPerRequestMax = 10'000;
inline constexpr size_t kBootsPerDeviceMax = 8;
inline constexpr size_t kStreamsPerBootMax = 128;  // four models of 32, the most that an agent has
inline constexpr size_t kRequestsMax = 10'000;

// A goal that an online device has not shown yet is said again after this long, then after twice as
// long, and so on: it may be lost on its way (a full queue, a broker that was killed).
inline constexpr Millis kGoalRepeatFirst{15'000};
inline constexpr Millis kGoalRepeatMax{600'000};
inline constexpr size_t kGoalRepeatsPerTick = 100;
// New settings reach a fleet bit by bit: each device's goal is a message and a row.
inline constexpr size_t kSettingsOrderedPerTick = 50;

// What one tick does at most, so that a turn stays under 5 ms (DESIGN.md section 2) whatever the
// size of the fleet; the rest follows in the next ones.
inline constexpr size_t kExpiriesPerTick = 1'000;       // sessions whose time may be over
inline constexpr size_t kRetoldPerTick = 300;           // to a broker that may have forgotten
inline constexpr uint32_t kChangesPerTick = 200;        // of deployments by rollouts
inline constexpr uint32_t kLooksPerTick = 2'000;        // at devices of rollouts that go on
inline constexpr uint32_t kLookedAroundPerTick = 20;    // devices of the fleet, again and again
inline constexpr size_t kFloorsLookedAtPerTick = 50;    // the same, for their security floors
inline constexpr size_t kDevicesJudgedPerTick = 1'000;  // by gates; one rollout at least
inline constexpr size_t kExpiredPerTick = 500;          // deployments whose time has come
inline constexpr size_t kRetriedPerTick = 200;
inline constexpr size_t kReconciledPerTick = 200;        // devices
inline constexpr size_t kArchivedPerTick = 500;          // deployments
inline constexpr size_t kSessionsAskedPerTick = 1'000;   // has the window of this device come?
inline constexpr size_t kDevicesCopiedPerTick = 500;     // for the statistics of a window
inline constexpr size_t kDevicesForgottenPerTick = 500;  // of windows that nobody revises any more

}  // namespace covey::engine
