// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/compatibility.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey {
namespace {

std::string hex(uint64_t value) {
  Bytes bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<uint8_t>(value >> static_cast<unsigned>(shift)));
  }
  return to_hex(bytes);
}

std::string joined(const std::vector<DeviceClass>& classes) {
  std::string text;
  for (const DeviceClass& device_class : classes) {
    if (!text.empty()) text += ", ";
    text += device_class.str();
  }
  return text;
}

}  // namespace

std::string_view to_string(IncompatibilityReason reason) {
  switch (reason) {
    case IncompatibilityReason::kClassMismatch:
      return "CLASS_MISMATCH";
    case IncompatibilityReason::kAlgorithmUnsupported:
      return "ALGORITHM_UNSUPPORTED";
    case IncompatibilityReason::kBelowSecurityFloor:
      return "BELOW_SECURITY_FLOOR";
    case IncompatibilityReason::kRuntimeMismatch:
      return "RUNTIME_MISMATCH";
    case IncompatibilityReason::kPreprocessingMismatch:
      return "PREPROCESSING_MISMATCH";
    case IncompatibilityReason::kArenaTooSmall:
      return "ARENA_TOO_SMALL";
    case IncompatibilityReason::kSlotTooSmall:
      return "SLOT_TOO_SMALL";
    case IncompatibilityReason::kMessageTooSmall:
      return "MESSAGE_TOO_SMALL";
  }
  return "UNKNOWN";
}

uint64_t slot_need_bytes(const Manifest& manifest) {
  return kSlotOverheadBytes + static_cast<uint64_t>(manifest.chunk_count()) * 16 +
         manifest.image_size_bytes;
}

std::optional<Incompatibility> check_compatibility(const Manifest& manifest,
                                                   uint32_t signature_algorithms,
                                                   const DeviceFacts& device,
                                                   uint32_t security_floor) {
  using Reason = IncompatibilityReason;
  const auto& classes = manifest.device_classes;
  if (std::find(classes.begin(), classes.end(), device.device_class) == classes.end()) {
    return Incompatibility{Reason::kClassMismatch, "the device is of class " +
                                                       device.device_class.str() +
                                                       ", the artifact is for " + joined(classes)};
  }
  if ((signature_algorithms & device.algorithms) == 0) {
    return Incompatibility{Reason::kAlgorithmUnsupported,
                           "the device verifies none of the signatures: sign with ES256 too"};
  }
  if (manifest.security_version < security_floor) {
    return Incompatibility{Reason::kBelowSecurityFloor,
                           fmt::format("security version {} is below the device's floor of {}",
                                       manifest.security_version, security_floor)};
  }
  if (device.runtime != static_cast<uint32_t>(manifest.runtime)) {
    return Incompatibility{
        Reason::kRuntimeMismatch,
        fmt::format("the artifact needs runtime {}, the device has another one (number {})",
                    to_string(manifest.runtime), device.runtime)};
  }
  if (device.operator_set != 0 && manifest.operator_set != 0 &&
      device.operator_set != manifest.operator_set) {
    return Incompatibility{Reason::kRuntimeMismatch,
                           "the artifact needs operator set " + hex(manifest.operator_set) +
                               ", the device's runtime has " + hex(device.operator_set)};
  }
  if (manifest.preprocessing_id != 0 && manifest.preprocessing_id != device.preprocessing_id) {
    return Incompatibility{
        Reason::kPreprocessingMismatch,
        fmt::format("the artifact needs preprocessing {}, the device's firmware has {}",
                    manifest.preprocessing_id, device.preprocessing_id)};
  }
  if (manifest.arena_bytes > device.arena_bytes) {
    return Incompatibility{Reason::kArenaTooSmall,
                           fmt::format("the model needs an arena of {} bytes, the device has {}",
                                       manifest.arena_bytes, device.arena_bytes)};
  }
  if (slot_need_bytes(manifest) > device.slot_bytes) {
    return Incompatibility{Reason::kSlotTooSmall,
                           fmt::format("the artifact needs a slot of {} bytes, the device has {}",
                                       slot_need_bytes(manifest), device.slot_bytes)};
  }
  const uint64_t message = static_cast<uint64_t>(manifest.chunk_size_bytes) + kChunkOverheadBytes;
  if (message > device.message_bytes_max) {
    return Incompatibility{Reason::kMessageTooSmall,
                           fmt::format("a chunk makes a message of up to {} bytes, the device "
                                       "takes {}: build the artifact with smaller chunks",
                                       message, device.message_bytes_max)};
  }
  return std::nullopt;
}

}  // namespace covey
