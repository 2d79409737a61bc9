// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "core/duration.hpp"
#include "covey/v1/admin.pb.h"

namespace covey::cli {
namespace {

template <typename Map>
std::string counted(const Map& map, const Style& style) {
  const std::map<std::string, uint64_t> sorted(map.begin(), map.end());
  std::string out;
  for (const auto& [name, count] : sorted) {
    out += (out.empty() ? "" : ", ") + fmt::format("{} {}", count, colored(name, style));
  }
  return out.empty() ? "none" : out;
}

std::string site_page(const Invocation& invocation, const v1::GetSiteResponse& site) {
  const Style& style = invocation.style;
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:<12}{}\n", name, value);
  };
  const Millis uptime{static_cast<int64_t>(site.uptime_ms() / 1000 * 1000)};
  line("Site", fmt::format("{}, covey {}, up {}", site.site(), site.version(), to_string(uptime)));
  if (site.reconciling()) {
    line("  restored",
         "devices are being asked what they have seen since; rollouts wait (RESTORED)");
  }
  bool healthy = true;
  for (const v1::Check& check : site.checks()) {
    healthy = healthy && check.ok();
    if (!check.ok() || invocation.wide()) {
      line(check.ok() ? "  check" : "  problem", check.name() + ": " +
                                                     colored(check.ok() ? "OK" : "NOT OK", style) +
                                                     " " + check.reason());
    }
  }
  line("Health", site.checks().empty() ? "UNKNOWN" : colored(healthy ? "OK" : "NOT OK", style));
  line("Devices",
       counted(site.devices(), style) + fmt::format("; {} online", site.devices_online()));
  if (site.devices_by_secret().size() > 1) {
    const std::map<uint32_t, uint32_t> sorted(site.devices_by_secret().begin(),
                                              site.devices_by_secret().end());
    std::string text;
    for (const auto& [number, count] : sorted) {
      text += fmt::format("{}{} of secret {}", text.empty() ? "" : ", ", count, number);
    }
    line("  keys", text);
  }
  for (const v1::SiteModel& model : site.models()) {
    line(
        "Model", model.model() + ": " + [&] {
          const std::map<std::string, uint32_t> sorted(model.confirmed().begin(),
                                                       model.confirmed().end());
          std::string text;
          for (const auto& [version, count] : sorted) {
            text += fmt::format("{}{} on {}", text.empty() ? "" : ", ", version, count);
          }
          return text.empty() ? "on no device yet" : text;
        }());
  }
  line("Rollouts", counted(site.rollouts(), style));
  for (const std::string& name : site.rollouts_active()) {
    line("  active", name + "   (covey rollout watch " + name + ")");
  }
  line("Alerts", site.alerts_firing() == 0
                     ? "none"
                     : fmt::format("{} firing   (covey alert list)", site.alerts_firing()));
  line("Inferences", fmt::format("{}, {} windows lost", grouped(site.inferences()),
                                 grouped(site.windows_lost())));
  if (invocation.wide() || !site.drops().empty()) {
    line("Drops", counted(site.drops(), Style{}));
  }
  if (invocation.wide()) {
    line("Revision", fmt::format("{}, site epoch {}, start {}", site.revision(), site.site_epoch(),
                                 site.start_id()));
    const std::map<std::string, std::string> endpoints(site.endpoints().begin(),
                                                       site.endpoints().end());
    for (const auto& [name, address] : endpoints) line("Endpoint", name + " " + address);
  }
  return out;
}

}  // namespace

void add_status_command(CLI::App& app, Invocation& invocation) {
  CLI::App* status = app.add_subcommand("status", "The site at a glance");
  status->footer("Examples:\n  covey status\n  covey status -o wide");
  on(status, invocation, [&invocation] {
    return call_and_print<v1::GetSiteResponse>(
        invocation, v1::GetSiteRequest(),
        [&](const auto& site) { return site_page(invocation, site); });
  });
}

}  // namespace covey::cli
