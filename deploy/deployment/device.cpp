// SPDX-License-Identifier: Apache-2.0
#include "deploy/deployment/device.hpp"

#include <array>
#include <utility>

#include "core/digest.hpp"

namespace covey {
namespace {
constexpr std::array<std::pair<DeviceState, std::string_view>, 5> kDeviceStates{{
    {DeviceState::kPending, "PENDING"},
    {DeviceState::kAccepted, "ACCEPTED"},
    {DeviceState::kRejected, "REJECTED"},
    {DeviceState::kRegistered, "REGISTERED"},
    {DeviceState::kDecommissioned, "DECOMMISSIONED"},
}};
}  // namespace

std::string_view to_string(DeviceState state) {
  for (const auto& [value, text] : kDeviceStates) {
    if (value == state) return text;
  }
  return "UNKNOWN";
}

std::optional<DeviceState> parse_device_state(std::string_view text) {
  for (const auto& [value, name] : kDeviceStates) {
    if (name == text) return value;
  }
  return std::nullopt;
}

std::string shard_text(uint32_t shard) {
  const uint8_t byte = static_cast<uint8_t>(shard);
  return to_hex(ByteView(&byte, 1));
}

}  // namespace covey
