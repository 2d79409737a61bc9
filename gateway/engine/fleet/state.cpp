// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/fleet/state.hpp"

#include "core/assert.hpp"

namespace covey::engine {

Device& FleetState::add(Device&& device) {
  const DeviceId id = device.id;
  const auto [found, added] = devices.try_emplace(id, std::move(device));
  COVEY_ASSERT(added);
  Device& stored = found->second;
  numbers_.emplace(stored.id, static_cast<DeviceNumber>(by_number.size()));
  by_number.push_back(&stored);
  budgets.reset(static_cast<DeviceNumber>(sessions.size()));
  sessions.emplace_back();
  count_in(stored);
  return stored;
}

void FleetState::count_in(const Device& device) {
  if (device.state != DeviceState::kAccepted) {
    ++waiting;
  } else if (device.enrolled) {
    ++enrolled;
    if (sessions[numbers_.at(device.id)].said_hello) ++said_hello;
  }
}

void FleetState::count_out(const Device& device) {
  if (device.state != DeviceState::kAccepted) {
    --waiting;
  } else if (device.enrolled) {
    --enrolled;
    if (sessions[numbers_.at(device.id)].said_hello) --said_hello;
  }
}

std::optional<DeviceNumber> FleetState::number_of(const DeviceId& device) const {
  const auto found = numbers_.find(device);
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

const Session* FleetState::session_of(const DeviceId& device) const {
  const std::optional<DeviceNumber> number = number_of(device);
  return number && sessions[*number].heard ? &sessions[*number] : nullptr;
}

}  // namespace covey::engine
