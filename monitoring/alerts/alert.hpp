// SPDX-License-Identifier: Apache-2.0
// Alerts: a stateful condition with hysteresis (docs/design/monitoring.md, "Alerts"). step() takes
// one judged window or an operator's act and says what changed. m of the last w windows fire; r
// quiet windows in a row resolve. Windows that conclude nothing neither fire nor quiet. An episode
// that resolved never comes back: the next abnormal window opens a new one with a new number.
// Thread safety: values and pure functions. Times are wall clock, UTC milliseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::monitoring {

enum class AlertState : uint8_t { kPending, kFiring, kResolved };
std::string_view to_string(AlertState state);  // PENDING, FIRING, RESOLVED
std::optional<AlertState> parse_alert_state(std::string_view text);

enum class Severity : uint8_t { kWarn, kPage };
std::string_view to_string(Severity severity);  // WARN, PAGE
std::optional<Severity> parse_severity(std::string_view text);

// What an alert is about. The texts are stored and shown: they stay what they are.
enum class AlertKind : uint8_t {
  kAheadOfSite,      // a device has seen more than this site ever said to it
  kCertificateEnds,  // of the gateway, and nothing renews it
  kClassMixDrift,
  kConfidenceDrift,
  kDuplicateIdentity,  // two boots alternate under one id
  kFeatureDrift,
  kJointDrift,
  kOverBudget,  // a device sends more than its budget
};
std::string_view to_string(AlertKind kind);  // AHEAD_OF_SITE, CLASS_MIX_DRIFT, ...
std::optional<AlertKind> parse_alert_kind(std::string_view text);

// What is watched; one track per key.
struct AlertKey {
  std::string model;  // model name, or "" of a device
  AlertKind kind = AlertKind::kFeatureDrift;
  std::string subject;  // feature, "classes" or device
  std::string scope;    // release and cohort, e.g. "bearing-vibration@1.1.0"

  auto operator<=>(const AlertKey&) const = default;
};

constexpr uint32_t kAlertWindowsMax = 32;  // that are remembered
struct AlertPolicy {
  uint32_t fire_windows = 2;   // m: abnormal windows ...
  uint32_t of_windows = 3;     // w: ... among the last w judged ones (at most 32)
  uint32_t quiet_windows = 3;  // r: quiet ones in a row that resolve
};
// Errors: BAD_ALERT_POLICY unless 1 <= m <= w <= 32 and r >= 1.
Status check(const AlertPolicy& policy);

struct DeviceHistory {
  DeviceId device;
  uint32_t named = 0;      // bit i: named i judged windows ago
  bool confirmed = false;  // named in m of w windows once in this episode

  bool operator==(const DeviceHistory&) const = default;
};

struct Acknowledgement {
  std::string by;
  std::string note;
  Millis at{0};

  bool operator==(const Acknowledgement&) const = default;
};

struct Alert {
  AlertKey key;
  uint64_t episode = 0;  // 1, 2, ... per key
  AlertState state = AlertState::kPending;
  Severity severity = Severity::kWarn;  // the worst of this episode
  std::string explanation;              // of the newest abnormal window, and how many are named
  uint32_t abnormal = 0;                // bit i: abnormal i judged windows ago
  uint32_t quiet_streak = 0;
  std::vector<DeviceHistory> histories;  // by device
  Millis opened_at{0};
  std::optional<Millis> fired_at;  // none in RESOLVED: it never fired
  std::optional<Millis> resolved_at;
  std::optional<Acknowledgement> acknowledged;

  bool operator==(const Alert&) const = default;
};
// Devices this alert names, sorted: those confirmed by m of w windows; nobody else.
std::vector<DeviceId> devices_of(const Alert& alert);
// Stable id, e.g. "bearing-vibration.FEATURE_DRIFT.rms.bearing-vibration-1.1.0.1": key and episode.
std::string alert_id(const AlertKey& key, uint64_t episode);

// State kept per key: the newest episode (any state), nullopt before the first.
struct AlertTrack {
  AlertKey key;
  std::optional<Alert> newest;

  bool operator==(const AlertTrack&) const = default;
};

struct WindowNormal {};
struct WindowUnknown {};  // insufficient data or devices: concludes nothing
struct WindowAbnormal {
  Severity severity = Severity::kWarn;
  std::vector<DeviceId> devices;  // named by localise(); empty: the whole scope
  std::string explanation;
};
// What was watched is not there any more (no device runs the release): resolved at once.
struct ScopeGone {
  std::string explanation;
};
struct AcknowledgeAlert {
  uint64_t episode = 0;
  std::string by;
  std::string note;
};
using AlertEvent =
    std::variant<WindowNormal, WindowUnknown, WindowAbnormal, ScopeGone, AcknowledgeAlert>;

enum class AlertChange : uint8_t {
  kNothing,    // nothing a person must be told (histories may have moved: store the track)
  kOpened,     // a new episode is PENDING
  kFired,      // PENDING (or nothing, when m is 1) -> FIRING
  kEscalated,  // FIRING, WARN -> PAGE
  kDevices,    // FIRING, more devices are named
  kResolved,   // FIRING -> RESOLVED
  kWithdrawn,  // PENDING -> RESOLVED without having fired
  kAcknowledged,
};
std::string_view to_string(AlertChange change);

struct AlertStep {
  AlertTrack track;
  AlertChange change = AlertChange::kNothing;
};
// Errors: NOT_FOUND (no such episode), ALERT_RESOLVED, ALREADY_ACKNOWLEDGED; windows never fail.
Result<AlertStep> step(const AlertTrack& track, const AlertEvent& event, const AlertPolicy& policy,
                       Now now);

}  // namespace covey::monitoring
