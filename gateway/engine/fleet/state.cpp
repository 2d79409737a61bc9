// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/fleet/state.hpp"

#include <algorithm>

#include "core/assert.hpp"

namespace covey::engine {
namespace {

constexpr Millis kAsksAgainAfter = 1s;

}  // namespace

Device& FleetState::add(Device&& device) {
  const DeviceId id = device.id;
  const auto [found, added] = devices.try_emplace(id, std::move(device));
  COVEY_ASSERT(added);
  Device& stored = found->second;
  if (free_.empty()) {
    free_.push_back(static_cast<DeviceNumber>(by_number.size()));
    by_number.push_back(nullptr);
    sessions.emplace_back();
  }
  const DeviceNumber number = free_.back();
  free_.pop_back();
  numbers_.emplace(stored.id, number);
  by_number[number] = &stored;
  budgets.reset(number);
  count_in(stored);
  if (!stored.certificate_serial.empty()) {
    look_at_certificate(number, std::max(stored.certificate_from, Millis{1}));
  }
  return stored;
}

void FleetState::remove(const DeviceId& device) {
  const auto found = numbers_.find(device);
  COVEY_ASSERT(found != numbers_.end());
  const DeviceNumber number = found->second;
  count_out(*by_number[number]);
  look_at_certificate(number, Millis{0});
  by_number[number] = nullptr;
  sessions[number] = {};
  budgets.reset(number);
  free_.push_back(number);
  numbers_.erase(found);
  ahead.erase(device);
  settings_due.erase(device);
  devices.erase(device);
}

void FleetState::heard_stranger(const Device& device, Millis wall) {
  const DeviceNumber number = numbers_.at(device.id);
  if (sessions[number].waiting_at == Millis{0}) return;
  const Millis before = sessions[number].waiting_at;
  // A repetition of the same question is none of its own.
  if (wall >= before && wall - before < kAsksAgainAfter) return;
  forget_stranger(number);
  sessions[number].waiting_at = std::max(wall, Millis{1});
  strangers.emplace(sessions[number].waiting_at, number);
}

void FleetState::forget_stranger(DeviceNumber number) {
  Millis& at = sessions[number].waiting_at;
  if (at == Millis{0}) return;
  strangers.erase({at, number});
  asked_once.erase({at, number});
  at = Millis{0};
}

void FleetState::look_at_certificate(DeviceNumber number, Millis wall) {
  Millis& at = sessions[number].certificate_at;
  if (at != Millis{0}) certificates.erase({at, number});
  at = wall;
  if (at != Millis{0}) certificates.emplace(at, number);
}

void FleetState::count_in(const Device& device) {
  if (waits(device)) {
    ++waiting;
    if (!device.claim.empty()) ++claimed[device.claim];
    if (device.enroll_generation == 1) {
      const DeviceNumber number = numbers_.at(device.id);
      sessions[number].waiting_at = std::max(device.last_seen_wall, Millis{1});
      strangers.emplace(sessions[number].waiting_at, number);
      asked_once.emplace(sessions[number].waiting_at, number);
    }
  } else if (device.state == DeviceState::kAccepted && device.enrolled) {
    ++enrolled;
    if (sessions[numbers_.at(device.id)].said_hello) ++said_hello;
  }
}

void FleetState::count_out(const Device& device) {
  if (waits(device)) {
    --waiting;
    if (!device.claim.empty() && --claimed[device.claim] == 0) claimed.erase(device.claim);
    forget_stranger(numbers_.at(device.id));
  } else if (device.state == DeviceState::kAccepted && device.enrolled) {
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
