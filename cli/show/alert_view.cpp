// SPDX-License-Identifier: Apache-2.0
#include "cli/show/alert_view.hpp"

#include <fmt/format.h>

namespace covey::cli {
namespace {

constexpr size_t kAlertDevicesShown = 8;

}  // namespace

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
    if (!alert.explanation().empty()) out += fmt::format("  {}\n", alert.explanation());
  }
  return out;
}

}  // namespace covey::cli
