// SPDX-License-Identifier: Apache-2.0
// Devices that are known before they come: who they are, and what they must show to be let in.
#include <fmt/format.h>

#include "core/limits.hpp"
#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/enrolment.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/fleet/registration_faults.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// Generation 1 is of strangers, who give way and are forgotten.
constexpr uint32_t kGenerationOfRegistered = 2;

std::map<std::string, std::string> labelled(const Device* device, const Registration& row) {
  std::map<std::string, std::string> labels = row.labels;
  if (device != nullptr) labels.insert(device->labels.begin(), device->labels.end());
  return labels;
}

void check_labels(const Device* device, const Registration& row, size_t number,
                  RegistrationFaults& faults) {
  for (const auto& [key, value] : row.labels) {
    if (Status good = check_label(key, value); !good) {
      faults.add(number, "labels", good.error().message);
    }
  }
  const size_t labels = labelled(device, row).size();
  if (labels > kLabelsPerDeviceMax) {
    faults.add(number, "labels",
               fmt::format("it would have {}, at most {}", labels, kLabelsPerDeviceMax));
  }
}

void check_known(const Device& device, const Registration& row, size_t number,
                 RegistrationFaults& faults) {
  if (device.state == DeviceState::kRejected || device.state == DeviceState::kDecommissioned) {
    return faults.add(number, "device_id",
                      fmt::format("{} is {}: covey device reenroll or remove it first",
                                  device.id.str(), to_string(device.state)));
  }
  if (device.state != DeviceState::kAccepted) return;
  if (!row.key.empty() && to_hex(row.key) != key_fingerprint(device.key)) {
    faults.add(number, "key_fingerprint",
               fmt::format("{} is accepted with another key: covey device reenroll it, or "
                           "replace it by a new id",
                           device.id.str()));
  }
  if (!row.device_class.empty() && row.device_class != device.facts.device_class) {
    faults.add(number, "device_class",
               fmt::format("{} is accepted and has the class {}", device.id.str(),
                           device.facts.device_class.str()));
  }
}

Status check(const FleetState& fleet, const ImportDevices& command) {
  RegistrationFaults faults;
  std::map<DeviceId, size_t> rows;
  size_t added = 0;
  for (size_t i = 0; i < command.devices.size(); ++i) {
    const Registration& row = command.devices[i];
    const auto [first, once] = rows.emplace(row.device, i);
    if (!once) {
      faults.add(i, "device_id",
                 fmt::format("{} is also devices[{}]", row.device.str(), first->second));
      continue;
    }
    const auto known = fleet.devices.find(row.device);
    const Device* const device = known == fleet.devices.end() ? nullptr : &known->second;
    if (device == nullptr) ++added;
    check_labels(device, row, i, faults);
    if (device != nullptr) check_known(*device, row, i, faults);
  }
  if (fleet.devices.size() + added > kDevicesMax) {
    return Error{Code::kResourceExhausted, "DEVICE_LIMIT",
                 fmt::format("{} devices are there and {} would come, at most {}: covey device "
                             "remove those that are gone",
                             fleet.devices.size(), added, kDevicesMax)};
  }
  return faults.status();
}

void write_in(Device& device, const Registration& row) {
  device.labels = labelled(&device, row);
  device.registered_key = row.key;
  device.registered_certificate = row.certificate;
  device.facts.device_class = row.device_class;
}

void add(Turn& turn, const Registration& row) {
  Device device;
  device.id = row.device;
  device.shard = shard_of(row.device);
  device.state = DeviceState::kRegistered;
  device.enroll_generation = kGenerationOfRegistered;
  device.secret_number = newest_secret(turn.state);
  write_in(device, row);
  own_fleet(turn).add(std::move(device));
  change_device(turn, row.device);
}

// Somebody has asked under its id already: who that was does not count any more.
void change(Turn& turn, Device& device, const Registration& row) {
  if (device.state == DeviceState::kPending) {
    void_keys(turn, device, DeviceState::kRegistered, kDeviceReenrolled);
    device.facts = {};
  }
  write_in(device, row);
}

}  // namespace

std::string other_than_registered(const Device& device, const EnrollMessage& message) {
  const std::string key = key_fingerprint(message.key);
  if (!device.registered_key.empty() && to_hex(device.registered_key) != key) {
    return fmt::format("it was registered with the key {} and has asked with {}",
                       to_hex(device.registered_key), key.empty() ? "none" : key);
  }
  if (!device.registered_certificate.empty() &&
      device.registered_certificate != message.certificate_digest) {
    return fmt::format(
        "it was registered with the certificate {} and has asked with {}",
        to_hex(device.registered_certificate),
        message.certificate_digest.empty() ? "none" : to_hex(message.certificate_digest));
  }
  const DeviceClass& wanted = device.facts.device_class;
  if (device.state == DeviceState::kRegistered && !wanted.empty() &&
      wanted != message.facts.device_class) {
    return fmt::format("it was registered with the class {} and has {}", wanted.str(),
                       message.facts.device_class.str());
  }
  return {};
}

Result<CommandReply> import_devices(Turn& turn, const ImportDevices& command) {
  if (command.devices.empty()) return invalid("NO_DEVICES", "devices: there are none");
  if (command.devices.size() > kRegisteredAtOnceMax) {
    return invalid("TOO_MANY_DEVICES", fmt::format("devices: {}, at most {} at once",
                                                   command.devices.size(), kRegisteredAtOnceMax));
  }
  if (Status good = check(turn.state.fleet, command); !good) return good.error();
  CommandReply reply;
  for (const Registration& row : command.devices) {
    const auto known = turn.state.fleet.devices.find(row.device);
    const bool is_new = known == turn.state.fleet.devices.end();
    const bool accepted = !is_new && known->second.state == DeviceState::kAccepted;
    ++(is_new ? reply.registered : accepted ? reply.known : reply.changed);
    reply.devices.push_back(row.device);
    if (command.validate_only) continue;
    if (is_new) {
      add(turn, row);
    } else if (!accepted) {
      change(turn, change_device(turn, row.device), row);
    } else if (labelled(&known->second, row) != known->second.labels) {
      Device& device = change_device(turn, row.device);
      device.labels = labelled(&device, row);
      assign_device(turn, device);
    }
  }
  reply.subject = fmt::format("{} devices", command.devices.size());
  if (!command.validate_only) turn.urgent();
  return reply;
}

}  // namespace covey::engine
