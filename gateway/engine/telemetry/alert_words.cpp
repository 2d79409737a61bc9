// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/telemetry/alert_words.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <vector>

namespace covey::engine {
namespace {

using monitoring::AlertKind;

constexpr size_t kDevicesNamed = 8;

struct Saying {
  std::string what;
  std::string look;
};

// No default: a new kind has to say something.
Saying saying_of(const monitoring::AlertKey& key) {
  switch (key.kind) {
    case AlertKind::kFeatureDrift:
      return {
          fmt::format("{} does not look as it did when {} was validated", key.subject, key.scope),
          "look at what feeds it: sensor, mounting, preprocessing"};
    case AlertKind::kClassMixDrift:
      return {key.scope + " says its classes in other shares than when it was validated",
              "look at whether the machines changed, or what the model sees of them"};
    case AlertKind::kConfidenceDrift:
      return {key.scope + " is not as sure of its answers as when it was validated",
              "look at its inputs (`covey monitor drift`), and label some samples"};
    case AlertKind::kJointDrift:
      return {
          "features of " + key.scope + " occur in other combinations than when it was validated",
          "look at `covey monitor drift` and at what the devices have in common"};
    case AlertKind::kAheadOfSite:
      return {key.subject + " has seen newer orders than this site ever gave",
              "look for a second site with the same devices, or a backup that was restored"};
    case AlertKind::kCertificateEnds:
      return {"the certificate that this gateway shows ends soon, and nothing has renewed it",
              "look at coveyd's log (tls_certificate_not_renewed), or bring a newer one to "
              "tls.certificate_file; devices and callers are shut out when it has ended"};
    case AlertKind::kDuplicateIdentity:
      return {"two devices take turns under the id " + key.subject,
              "look for a copied identity: `covey device reenroll` gives one of them a new one"};
    case AlertKind::kOverBudget:
      return {key.subject + " sends more than its budget, and what is over it is refused",
              "look at its firmware and its connection: `covey device get " + key.subject + "`"};
  }
  return {};
}

// Of what a model says: on which devices. Others are about one device, which they name.
std::string where(const monitoring::Alert& alert) {
  if (alert.key.model.empty()) return "";
  const std::vector<DeviceId> devices = monitoring::devices_of(alert);
  if (devices.empty()) return ", no device by itself stands out";
  std::string names;
  for (size_t i = 0; i < std::min(devices.size(), kDevicesNamed); ++i) {
    names += (i == 0 ? "" : ", ") + devices[i].str();
  }
  if (devices.size() > kDevicesNamed) {
    names += fmt::format(" and {} more", devices.size() - kDevicesNamed);
  }
  return fmt::format(", on {} {}: {}", devices.size(), devices.size() == 1 ? "device" : "devices",
                     names);
}

std::string utc(Millis wall) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC",
                     fmt::gmtime(static_cast<std::time_t>(wall.count() / 1000)));
}

}  // namespace

std::string explain(const monitoring::Alert& alert) {
  const Saying saying = saying_of(alert.key);
  const bool pending = alert.state == monitoring::AlertState::kPending;
  std::string text = fmt::format("{}{}{}, since {}", pending ? "not sure yet: " : "", saying.what,
                                 where(alert), utc(alert.opened_at));
  if (alert.resolved_at) text += " to " + utc(*alert.resolved_at);
  text += "; " + saying.look + ".";
  if (!alert.explanation.empty()) text += " In detail: " + alert.explanation + ".";
  return text;
}

}  // namespace covey::engine
