// SPDX-License-Identifier: Apache-2.0
// Devices that go for good, and others that take their place.
#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/engine/fleet/enrolment.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kGenerationOfSuccessor = 2;  // 1 is of strangers, who are forgotten

void decommission(Turn& turn, Device& device) {
  void_keys(turn, device, DeviceState::kDecommissioned, kDeviceDecommissioned);
}

Result<Bytes> key_of(const std::string& fingerprint) {
  if (fingerprint.empty()) return Bytes{};
  const Result<Digest> digest = parse_digest(fingerprint);
  if (!digest) return invalid("BAD_FIELD", "key_fingerprint: 64 hex digits");
  return Bytes(digest->bytes.begin(), digest->bytes.end());
}

Status check(const FleetState& fleet, const Device& device, const ReplaceDevice& command) {
  if (command.device == command.successor) {
    return invalid("SAME_DEVICE",
                   "successor: is the device itself; after a factory reset, or with new hardware "
                   "under the same id: covey device reenroll");
  }
  if (device.state == DeviceState::kDecommissioned) {
    return precondition(
        "DECOMMISSIONED",
        fmt::format(
            "{} is decommissioned already{}", device.id.str(),
            device.successor.empty() ? std::string() : ", replaced by " + device.successor.str()));
  }
  const auto found = fleet.devices.find(command.successor);
  if (found == fleet.devices.end()) {
    if (fleet.devices.size() < kDevicesMax) return {};
    return Error{Code::kResourceExhausted, "DEVICE_LIMIT",
                 fmt::format("{} devices are there, which is the most", kDevicesMax)};
  }
  const Device& successor = found->second;
  if (successor.state == DeviceState::kDecommissioned ||
      successor.state == DeviceState::kRejected) {
    return precondition("SUCCESSOR_SHUT_OUT",
                        fmt::format("{} is {}: covey device reenroll it first", successor.id.str(),
                                    to_string(successor.state)));
  }
  const DeviceClass& old_class = device.facts.device_class;
  const DeviceClass& new_class = successor.facts.device_class;
  if (!old_class.empty() && !new_class.empty() && old_class != new_class) {
    return precondition(
        "OTHER_CLASS",
        fmt::format("{} has the class {}, {} has {}: what the one runs does not "
                    "run on the other",
                    device.id.str(), old_class.str(), successor.id.str(), new_class.str()));
  }
  const std::string has = key_fingerprint(successor.key);
  if (!command.key_fingerprint.empty() && !has.empty() && has != command.key_fingerprint) {
    return precondition("KEY_MISMATCH",
                        fmt::format("{} has asked with the key {}, not with {}", successor.id.str(),
                                    has, command.key_fingerprint));
  }
  if (!command.key_fingerprint.empty() && has.empty() &&
      successor.state != DeviceState::kRegistered) {
    return precondition("KEY_MISMATCH",
                        fmt::format("{} has asked without a key of its own", successor.id.str()));
  }
  size_t labels = successor.labels.size();
  for (const auto& [key, value] : device.labels) labels += successor.labels.contains(key) ? 0 : 1;
  if (labels <= kLabelsPerDeviceMax) return {};
  return precondition("TOO_MANY_LABELS",
                      fmt::format("{} would have {} labels, at most {} are allowed",
                                  successor.id.str(), labels, kLabelsPerDeviceMax));
}

Device& successor_of(Turn& turn, const DeviceId& id) {
  if (!turn.state.fleet.devices.contains(id)) {
    Device device;
    device.id = id;
    device.shard = shard_of(id);
    device.state = DeviceState::kRegistered;
    device.enroll_generation = kGenerationOfSuccessor;
    device.secret_number = newest_secret(turn.state);
    own_fleet(turn).add(std::move(device));
  }
  return change_device(turn, id);
}

// What the device should run: with the labels, all that was decided about its place.
void hand_over(Turn& turn, const Device& from, Device& to) {
  for (const auto& [key, value] : from.labels) to.labels[key] = value;
  if (to.facts.device_class.empty()) to.facts.device_class = from.facts.device_class;
  for (const auto& [name, model] : from.models) {
    if (!model.desired) continue;
    const auto artifact = turn.state.catalogue.artifacts.find(*model.desired);
    if (to.state == DeviceState::kAccepted && artifact != turn.state.catalogue.artifacts.end()) {
      (void)desire(turn, to, artifact->second.release);
      continue;
    }
    if (!to.models.contains(name) && to.models.size() >= kModelsPerDeviceMax) continue;
    DeviceModel& same = to.models[name];
    same.reported.model = name;
    if (!same.desired) same.desired = model.desired;
  }
}

}  // namespace

Result<CommandReply> decommission_device(Turn& turn, const DecommissionDevice& command) {
  const auto found = turn.state.fleet.devices.find(command.device);
  if (found == turn.state.fleet.devices.end()) {
    return not_found("no device " + command.device.str());
  }
  if (found->second.state == DeviceState::kDecommissioned) {
    return CommandReply{.subject = command.device.str(), .already_existed = true};
  }
  decommission(turn, change_device(turn, command.device));
  return CommandReply{.subject = command.device.str(), .changed = 1};
}

Result<CommandReply> replace_device(Turn& turn, const ReplaceDevice& command) {
  const FleetState& fleet = turn.state.fleet;
  const auto found = fleet.devices.find(command.device);
  if (found == fleet.devices.end()) return not_found("no device " + command.device.str());
  Result<Bytes> key = key_of(command.key_fingerprint);
  if (!key) return key.error();
  if (Status good = check(fleet, found->second, command); !good) return good.error();
  Device& successor = successor_of(turn, command.successor);
  hand_over(turn, found->second, successor);
  if (successor.state == DeviceState::kRegistered && !key->empty()) {
    successor.registered_key = *std::move(key);
  }
  Device& device = change_device(turn, command.device);
  device.successor = command.successor;
  decommission(turn, device);
  if (successor.state == DeviceState::kPending) {
    accept(turn, {command.successor});
  } else {
    assign_device(turn, successor);
  }
  turn.urgent();
  return CommandReply{.subject = command.device.str(), .changed = 2};
}

}  // namespace covey::engine
