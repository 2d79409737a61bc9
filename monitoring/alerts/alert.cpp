// SPDX-License-Identifier: Apache-2.0
#include "monitoring/alerts/alert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string>

namespace covey::monitoring {
namespace {

uint32_t window_mask(const AlertPolicy& policy) {
  return policy.of_windows >= 32 ? ~uint32_t{0} : (uint32_t{1} << policy.of_windows) - 1;
}

bool often_enough(uint32_t history, const AlertPolicy& policy) {
  return static_cast<uint32_t>(std::popcount(history & window_mask(policy))) >= policy.fire_windows;
}

// Shifts every device's history by one window and names those of this one. True when the alert now
// names a device that it did not before.
bool remember_devices(Alert& alert, const std::vector<DeviceId>& named, const AlertPolicy& policy) {
  for (DeviceHistory& history : alert.histories) history.named <<= 1;
  for (const DeviceId& device : named) {
    auto at = std::lower_bound(
        alert.histories.begin(), alert.histories.end(), device,
        [](const DeviceHistory& history, const DeviceId& id) { return history.device < id; });
    if (at == alert.histories.end() || at->device != device) {
      at = alert.histories.insert(at, DeviceHistory{device, 0, false});
    }
    at->named |= 1;
  }
  bool more = false;
  for (DeviceHistory& history : alert.histories) {
    if (history.confirmed || !often_enough(history.named, policy)) continue;
    history.confirmed = true;
    more = true;
  }
  // Who was named too rarely and too long ago is forgotten.
  std::erase_if(alert.histories, [&](const DeviceHistory& history) {
    return !history.confirmed && (history.named & window_mask(policy)) == 0;
  });
  return more;
}

// What the explanation and the list of devices have to do with each other: a window may see more
// devices than the alert names, or fewer.
std::string on_names(const Alert& alert, const AlertPolicy& policy) {
  size_t named = 0;
  size_t seen = 0;
  for (const DeviceHistory& history : alert.histories) {
    if (history.confirmed) ++named;
    if (!history.confirmed && (history.named & 1) != 0) ++seen;
  }
  std::string text;
  if (named > 0) text += fmt::format("; {} named by this alert", named);
  if (seen > 0) {
    text += fmt::format("; {} seen, but not in {} of {} windows yet", seen, policy.fire_windows,
                        policy.of_windows);
  }
  return text;
}

Alert open(const AlertTrack& track, Now now) {
  Alert alert;
  alert.key = track.key;
  alert.episode = track.newest ? track.newest->episode + 1 : 1;
  alert.opened_at = now.wall;
  return alert;
}

AlertStep on_abnormal(const AlertTrack& track, const WindowAbnormal& window,
                      const AlertPolicy& policy, Now now) {
  const bool opened = !track.newest || track.newest->state == AlertState::kResolved;
  Alert alert = opened ? open(track, now) : *track.newest;
  alert.abnormal = (alert.abnormal << 1) | 1;
  alert.quiet_streak = 0;
  const bool escalated = alert.severity < window.severity;
  alert.severity = std::max(alert.severity, window.severity);
  const bool more_devices = remember_devices(alert, window.devices, policy);
  alert.explanation = window.explanation + on_names(alert, policy);
  AlertChange change = opened ? AlertChange::kOpened : AlertChange::kNothing;
  if (alert.state == AlertState::kPending) {
    if (often_enough(alert.abnormal, policy)) {
      alert.state = AlertState::kFiring;
      alert.fired_at = now.wall;
      change = AlertChange::kFired;
    }
  } else if (escalated) {
    change = AlertChange::kEscalated;
  } else if (more_devices) {
    change = AlertChange::kDevices;
  }
  return {{track.key, std::move(alert)}, change};
}

AlertStep on_normal(const AlertTrack& track, const AlertPolicy& policy, Now now) {
  if (!track.newest || track.newest->state == AlertState::kResolved) return {track, {}};
  Alert alert = *track.newest;
  alert.abnormal <<= 1;
  ++alert.quiet_streak;
  remember_devices(alert, {}, policy);
  const bool withdrawn =
      alert.state == AlertState::kPending && (alert.abnormal & window_mask(policy)) == 0;
  const bool resolved =
      alert.state == AlertState::kFiring && alert.quiet_streak >= policy.quiet_windows;
  if (withdrawn || resolved) {
    alert.state = AlertState::kResolved;
    alert.resolved_at = now.wall;
  }
  const AlertChange change = withdrawn  ? AlertChange::kWithdrawn
                             : resolved ? AlertChange::kResolved
                                        : AlertChange::kNothing;
  return {{track.key, std::move(alert)}, change};
}

AlertStep on_gone(const AlertTrack& track, const ScopeGone& event, Now now) {
  if (!track.newest || track.newest->state == AlertState::kResolved) return {track, {}};
  Alert alert = *track.newest;
  const AlertChange change =
      alert.state == AlertState::kPending ? AlertChange::kWithdrawn : AlertChange::kResolved;
  alert.state = AlertState::kResolved;
  alert.resolved_at = now.wall;
  alert.explanation = event.explanation + "; before: " + alert.explanation;
  return {{track.key, std::move(alert)}, change};
}

Result<AlertStep> on_acknowledge(const AlertTrack& track, const AcknowledgeAlert& event, Now now) {
  if (!track.newest || track.newest->episode != event.episode) {
    return not_found("alert " + alert_id(track.key, event.episode) + " is not the newest episode");
  }
  Alert alert = *track.newest;
  if (alert.state == AlertState::kResolved) {
    return precondition("ALERT_RESOLVED", "alert " + alert_id(track.key, event.episode) +
                                              " is resolved already: nothing to acknowledge");
  }
  if (alert.acknowledged) {
    return precondition("ALREADY_ACKNOWLEDGED", "alert " + alert_id(track.key, event.episode) +
                                                    " was acknowledged by " +
                                                    alert.acknowledged->by);
  }
  alert.acknowledged = Acknowledgement{event.by, event.note, now.wall};
  return AlertStep{{track.key, std::move(alert)}, AlertChange::kAcknowledged};
}

}  // namespace

std::string_view to_string(AlertState state) {
  switch (state) {
    case AlertState::kPending:
      return "PENDING";
    case AlertState::kFiring:
      return "FIRING";
    case AlertState::kResolved:
      return "RESOLVED";
  }
  return "RESOLVED";
}

std::optional<AlertState> parse_alert_state(std::string_view text) {
  for (const auto state : {AlertState::kPending, AlertState::kFiring, AlertState::kResolved}) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

std::string_view to_string(AlertKind kind) {
  switch (kind) {
    case AlertKind::kAheadOfSite:
      return "AHEAD_OF_SITE";
    case AlertKind::kCertificateEnds:
      return "CERTIFICATE_ENDS";
    case AlertKind::kClassMixDrift:
      return "CLASS_MIX_DRIFT";
    case AlertKind::kConfidenceDrift:
      return "CONFIDENCE_DRIFT";
    case AlertKind::kDuplicateIdentity:
      return "DUPLICATE_IDENTITY";
    case AlertKind::kFeatureDrift:
      return "FEATURE_DRIFT";
    case AlertKind::kJointDrift:
      return "JOINT_DRIFT";
    case AlertKind::kOverBudget:
      return "OVER_BUDGET";
  }
  return "FEATURE_DRIFT";
}

std::optional<AlertKind> parse_alert_kind(std::string_view text) {
  for (const auto kind :
       {AlertKind::kAheadOfSite, AlertKind::kCertificateEnds, AlertKind::kClassMixDrift,
        AlertKind::kConfidenceDrift, AlertKind::kDuplicateIdentity, AlertKind::kFeatureDrift,
        AlertKind::kJointDrift, AlertKind::kOverBudget}) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kWarn:
      return "WARN";
    case Severity::kPage:
      return "PAGE";
  }
  return "PAGE";
}

std::optional<Severity> parse_severity(std::string_view text) {
  for (const auto severity : {Severity::kWarn, Severity::kPage}) {
    if (to_string(severity) == text) return severity;
  }
  return std::nullopt;
}

std::string_view to_string(AlertChange change) {
  switch (change) {
    case AlertChange::kNothing:
      return "NOTHING";
    case AlertChange::kOpened:
      return "OPENED";
    case AlertChange::kFired:
      return "FIRED";
    case AlertChange::kEscalated:
      return "ESCALATED";
    case AlertChange::kDevices:
      return "DEVICES";
    case AlertChange::kResolved:
      return "RESOLVED";
    case AlertChange::kWithdrawn:
      return "WITHDRAWN";
    case AlertChange::kAcknowledged:
      return "ACKNOWLEDGED";
  }
  return "NOTHING";
}

Status check(const AlertPolicy& policy) {
  if (policy.fire_windows < 1 || policy.fire_windows > policy.of_windows ||
      policy.of_windows > kAlertWindowsMax || policy.quiet_windows < 1) {
    return invalid("BAD_ALERT_POLICY",
                   "an alert policy needs 1 <= fire_windows <= of_windows <= 32 and at least one "
                   "quiet window");
  }
  return {};
}

std::vector<DeviceId> devices_of(const Alert& alert) {
  std::vector<DeviceId> devices;
  for (const DeviceHistory& history : alert.histories) {
    if (history.confirmed) devices.push_back(history.device);
  }
  return devices;
}

std::string alert_id(const AlertKey& key, uint64_t episode) {
  std::string id;
  for (const std::string_view part : {std::string_view(key.model), to_string(key.kind),
                                      std::string_view(key.subject), std::string_view(key.scope)}) {
    if (part.empty()) continue;
    for (const char c : part) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
      id += plain ? c : '-';
    }
    id += '.';
  }
  return fmt::format("{}{}", id, episode);
}

Result<AlertStep> step(const AlertTrack& track, const AlertEvent& event, const AlertPolicy& policy,
                       Now now) {
  struct Visitor {
    const AlertTrack& track;
    const AlertPolicy& policy;
    Now now;

    Result<AlertStep> operator()(const WindowNormal&) const {
      return on_normal(track, policy, now);
    }
    Result<AlertStep> operator()(const WindowUnknown&) const { return AlertStep{track, {}}; }
    Result<AlertStep> operator()(const WindowAbnormal& window) const {
      return on_abnormal(track, window, policy, now);
    }
    Result<AlertStep> operator()(const ScopeGone& gone) const { return on_gone(track, gone, now); }
    Result<AlertStep> operator()(const AcknowledgeAlert& acknowledge) const {
      return on_acknowledge(track, acknowledge, now);
    }
  };
  return std::visit(Visitor{track, policy, now}, event);
}

}  // namespace covey::monitoring
