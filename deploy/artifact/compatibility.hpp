// SPDX-License-Identifier: Apache-2.0
// May this device take this artifact? Asked at plan time, at offer, and again after a firmware
// change; the device asks the same questions itself. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "deploy/artifact/manifest.hpp"

namespace covey {

// Beside image and chunk table a slot holds a header, the signed manifest and the telemetry tables.
inline constexpr uint32_t kSlotOverheadBytes = 4096;
// MQTT header, topic and the other fields of a down/chunk message; the agent's limits.h agrees.
inline constexpr uint32_t kChunkOverheadBytes = 128;

// What a device says of itself in hello (covey.device.v1.DeviceFacts).
struct DeviceFacts {
  DeviceClass device_class;
  std::string firmware;
  std::string agent;
  uint32_t slot_bytes = 0;
  uint32_t arena_bytes = 0;
  uint32_t message_bytes_max = 0;
  uint32_t runtime = 0;       // wire number
  uint64_t operator_set = 0;  // 0: not known
  uint32_t algorithms = 0;    // algorithm_bit()s
  uint32_t preprocessing_id = 0;

  bool operator==(const DeviceFacts&) const = default;
};

enum class IncompatibilityReason : uint8_t {
  kClassMismatch,
  kAlgorithmUnsupported,
  kBelowSecurityFloor,
  kRuntimeMismatch,
  kPreprocessingMismatch,
  kArenaTooSmall,
  kSlotTooSmall,
  kMessageTooSmall,
};
// "CLASS_MISMATCH", ...: the names of covey.device.v1.Reason where it has one. Stored as this text.
std::string_view to_string(IncompatibilityReason reason);

struct Incompatibility {
  IncompatibilityReason reason;
  std::string explanation;  // with both figures, for people

  bool operator==(const Incompatibility&) const = default;
};

// Bytes that a slot must have for this artifact.
uint64_t slot_need_bytes(const Manifest& manifest);

// The first obstacle, in the order of IncompatibilityReason; nothing: the device can take it.
// `signature_algorithms`: bits of the signatures that the manifest carries
// (Artifact::algorithms()).
std::optional<Incompatibility> check_compatibility(const Manifest& manifest,
                                                   uint32_t signature_algorithms,
                                                   const DeviceFacts& device,
                                                   uint32_t security_floor);

}  // namespace covey
