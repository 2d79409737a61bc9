// SPDX-License-Identifier: Apache-2.0
#include "cli/show/alert_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace covey::cli {
namespace {

constexpr size_t kAlertDevicesShown = 8;

struct Saying {
  std::string_view kind;
  const char* what;  // {0}: subject, {1}: release
  const char* look;
};
constexpr std::array<Saying, 6> kSayings{{
    {"FEATURE_DRIFT", "{0} does not look as it did when {1} was validated",
     "Look at what feeds it: sensor, mounting, preprocessing"},
    {"CLASS_MIX_DRIFT", "{1} says its classes in other shares than when it was validated",
     "Look at whether the machines changed, or what the model sees of them"},
    {"CONFIDENCE_DRIFT", "{1} is not as sure of its answers as when it was validated",
     "Look at its inputs (`covey monitor drift`), and label some samples"},
    {"JOINT_DRIFT", "features of {1} occur in other combinations than when it was validated",
     "Look at `covey monitor drift` and at what the devices have in common"},
    {"AHEAD_OF_SITE", "{0} has seen newer orders than this site ever gave",
     "Look for a second site with the same devices, or a backup that was restored"},
    {"DUPLICATE_IDENTITY", "two devices take turns under the id {0}",
     "Look for a copied identity: `covey device reenroll` gives one of them a new one"},
}};

// Of what a model says: on which devices.
std::string where(const v1::Alert& alert) {
  if (alert.model().empty()) return "";
  if (alert.devices().empty()) return ", no device by itself stands out";
  return fmt::format(", on {} {}: {}", alert.devices_size(),
                     alert.devices_size() == 1 ? "device" : "devices",
                     joined(alert.devices(), kAlertDevicesShown));
}

}  // namespace

std::string alert_sentence(const v1::Alert& alert) {
  const auto saying = std::find_if(kSayings.begin(), kSayings.end(), [&](const Saying& candidate) {
    return candidate.kind == alert.kind();
  });
  if (saying == kSayings.end()) return "";
  std::string what = alert.state() == v1::ALERT_STATE_PENDING ? "not sure yet: " : "";
  what += fmt::format(fmt::runtime(saying->what), alert.feature(), alert.release());
  what += where(alert);
  what += fmt::format(", since {} UTC", utc(alert.start_time_ms()));
  if (alert.resolve_time_ms() > 0) what += fmt::format(" to {} UTC", utc(alert.resolve_time_ms()));
  return fmt::format("{}. {}.", what, saying->look);
}

std::string alerts_page(const v1::ListAlertsResponse& alerts, bool all, const Style& style) {
  Table table({"ALERT", "STATE", "SEVERITY", "KIND", "SUBJECT", "SINCE", "DEVICES"});
  for (const v1::Alert& alert : alerts.alerts()) {
    table.add({id_of(alert.name()), word(v1::AlertState_Name(alert.state())), alert.severity(),
               alert.kind(), alert.feature(), age(alert.start_time_ms()),
               joined(alert.devices(), kAlertDevicesShown)});
  }
  if (table.empty()) return all ? "No alerts.\n" : "No alerts: --all shows resolved ones.\n";
  std::string out = table.render(style);
  for (const v1::Alert& alert : alerts.alerts()) {
    out +=
        fmt::format("\n{}{}\n", id_of(alert.name()), alert.acknowledged() ? " (acknowledged)" : "");
    if (const std::string sentence = alert_sentence(alert); !sentence.empty()) {
      out += fmt::format("  {}\n", sentence);
    }
    if (!alert.explanation().empty()) out += fmt::format("  {}\n", alert.explanation());
  }
  return out;
}

}  // namespace covey::cli
