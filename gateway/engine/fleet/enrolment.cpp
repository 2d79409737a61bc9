// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kRetryPendingS = 5;

void answer(Turn& turn, const Device& device, uint64_t nonce) {
  GrantMessage grant{.nonce = nonce, .retry_after_s = kRetryPendingS};
  switch (device.state) {
    case DeviceState::kPending:
      grant.state = EnrollState::kPending;
      break;
    case DeviceState::kRejected:
      grant.state = EnrollState::kRejected;
      break;
    case DeviceState::kAccepted:
      grant.state = EnrollState::kAccepted;
      grant.order_key = order_key(turn.state, device);
      grant.username = device.id.str();
      grant.password = broker_password(turn.state, device);
      grant.shard = shard_text(device.shard);
      grant.site_epoch = turn.state.site.site_epoch;
      break;
  }
  turn.emit(PublishGrant{device.id, std::move(grant)});
}

void add_models(Device& device, const std::vector<ModelName>& models) {
  for (const ModelName& model : models) {
    if (device.models.size() >= kModelsPerDeviceMax) return;
    device.models.try_emplace(model).first->second.reported.model = model;
  }
}

void set_state(Turn& turn, Device& device, DeviceState state) {
  FleetState& fleet = own_fleet(turn);
  fleet.count_out(device);
  device.state = state;
  fleet.count_in(device);
}

void accept(Turn& turn, const std::vector<DeviceId>& ids) {
  // All credentials first: the broker takes them in one go, before anybody is told.
  for (const DeviceId& id : ids) {
    Device& device = change_device(turn, id);
    set_state(turn, device, DeviceState::kAccepted);
    turn.emit(SetCredential{id, broker_password(turn.state, device)});
  }
  for (const DeviceId& id : ids) {
    Device& device = *own_fleet(turn).by_number[*turn.state.fleet.number_of(id)];
    if (device.enroll_nonce != 0) answer(turn, device, device.enroll_nonce);
    assign_device(turn, device);
  }
  turn.urgent();
}

}  // namespace

void on_enroll(Turn& turn, const EnrollReceived& event) {
  const State& state = turn.state;
  const EnrollMessage& message = event.message;
  if (message.device != event.device) return turn.drop(Drop::kDeviceIdMismatch);
  auto found = state.fleet.devices.find(event.device);
  if (found == state.fleet.devices.end()) {
    if (state.fleet.devices.size() >= kDevicesMax ||
        state.fleet.waiting >= turn.config.pending_max) {
      return turn.drop(Drop::kEnrollLimit);
    }
    Device device;
    device.id = event.device;
    device.shard = shard_of(event.device);
    device.facts = message.facts;
    device.enroll_nonce = message.nonce;
    device.last_seen_wall = turn.now.wall;
    add_models(device, message.models);
    Device& added = own_fleet(turn).add(std::move(device));
    change_device(turn, added.id);
    turn.urgent();
    turn.log(LogLine::Level::kInfo, "device_pending", event.device.str(),
             "class " + added.facts.device_class.str());
    if (turn.config.auto_accept) return accept(turn, {event.device});
    return answer(turn, added, message.nonce);
  }
  const Device& device = found->second;
  const bool same = message.nonce == device.enroll_nonce;
  // Whoever enrols anew under a known id gets nothing until an operator says so (reenroll).
  if (device.state == DeviceState::kAccepted && device.enrolled && !same) {
    return turn.drop(Drop::kEnrollRefused);
  }
  if (device.state == DeviceState::kAccepted && !same && device.enroll_nonce != 0) {
    return turn.drop(Drop::kEnrollRefused);
  }
  if (!same || device.facts != message.facts) {
    Device& changed = change_device(turn, device.id);
    changed.enroll_nonce = message.nonce;
    changed.facts = message.facts;
    add_models(changed, message.models);
  }
  answer(turn, device, message.nonce);
}

Result<CommandReply> accept_devices(Turn& turn, const AcceptDevices& command) {
  const DeviceSelection& selection = command.devices;
  if (selection.ids.empty() && selection.filter.empty() && !selection.all) {
    return invalid("NO_DEVICES", "name devices, give a filter, or say all");
  }
  Result<std::vector<DeviceId>> ids = select(turn.state, selection);
  if (!ids) return ids.error();
  std::vector<DeviceId> chosen;
  for (const DeviceId& id : *ids) {
    const Device& device = turn.state.fleet.devices.at(id);
    if (device.state == DeviceState::kAccepted) continue;
    // A filter or `all` means those that wait; a rejected one is accepted by name only.
    const bool named =
        std::find(selection.ids.begin(), selection.ids.end(), id) != selection.ids.end();
    if (device.state == DeviceState::kRejected && !named) continue;
    chosen.push_back(id);
  }
  accept(turn, chosen);
  return CommandReply{.subject = "", .changed = static_cast<uint32_t>(chosen.size())};
}

Result<CommandReply> reject_device(Turn& turn, const RejectDevice& command) {
  const auto found = turn.state.fleet.devices.find(command.device);
  if (found == turn.state.fleet.devices.end())
    return not_found("no device " + command.device.str());
  const Device& device = found->second;
  if (device.state == DeviceState::kAccepted) {
    return precondition("DEVICE_ACCEPTED", device.id.str() + " is accepted already");
  }
  set_state(turn, change_device(turn, device.id), DeviceState::kRejected);
  answer(turn, device, device.enroll_nonce);
  return CommandReply{.subject = device.id.str(), .changed = 1};
}

Result<CommandReply> reenroll_device(Turn& turn, const ReenrollDevice& command) {
  const auto found = turn.state.fleet.devices.find(command.device);
  if (found == turn.state.fleet.devices.end())
    return not_found("no device " + command.device.str());
  Device& device = change_device(turn, found->first);
  // New keys; the old ones stop working with this transaction.
  ++device.enroll_generation;
  device.enroll_nonce = 0;
  set_state(turn, device, DeviceState::kPending);
  device.enrolled = false;
  own_fleet(turn).sessions[*turn.state.fleet.number_of(device.id)].said_hello = false;
  device.goal_counter_seen = 0;
  // The goal that stands was authenticated with the old key: what is said next is another one.
  for (auto& [name, model] : device.models) model.ordered.reset();
  resolve_duplicate_identity(turn, device);
  forget_claim(turn, device.id, "the device has new keys since");
  turn.emit(SetCredential{device.id, ""});
  return CommandReply{.subject = device.id.str(), .changed = 1};
}

}  // namespace covey::engine
