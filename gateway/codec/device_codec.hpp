// SPDX-License-Identifier: Apache-2.0
// Bytes of the device wire (proto/covey/device/v1/device.proto) to and from the engine's messages.
// No I/O, any thread. Decoding bounds everything before it allocates for long: payload bytes,
// element counts, text lengths. Errors: PAYLOAD_TOO_LARGE, MALFORMED, FIELD_INVALID with the
// field's name. Macs are verified by the engine, which has the keys; outgoing ones are made here.
#pragma once

#include <string_view>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "covey/limits.h"
#include "gateway/engine/messages.hpp"

namespace covey::codec {

// As covey/limits.h has them, for both sides of the wire.
inline constexpr size_t kPayloadBytesMax = COVEY_UP_BYTES_MAX;
inline constexpr size_t kGoalBytesMax = COVEY_GOAL_BYTES_MAX;

// No device runs that long (8,925 years): what is below can be added to any wall time.
inline constexpr uint64_t kUptimeMaxMs = uint64_t{1} << 48U;

// kind: last topic level, "hello", "status", "fetch" or "bye"; of reports see report_decoder.hpp.
Result<engine::DeviceMessage> decode_device_message(std::string_view kind, ByteView payload);
Result<engine::EnrollMessage> decode_enroll(ByteView payload);

Bytes encode(const engine::SiteMessage& site);
// Errors: GOAL_TOO_LARGE (above 256 bytes: too many models on one device).
Result<Bytes> encode(const engine::GoalMessage& goal, const Digest& order_key);
Bytes encode(const engine::AckMessage& ack, const DeviceId& device, const Digest& order_key);
// `certificate`: X.509 in DER; empty: none.
Bytes encode(const engine::GrantMessage& grant, ByteView certificate);
// What everybody may see of it, and itself as only its device can read it.
Bytes encode_sealed(const engine::GrantMessage& grant, ByteView sealed);
Bytes encode_certificate(ByteView certificate, const DeviceId& device, const Digest& order_key);
// One down/chunk message; `data` is empty unless result is kOk.
Bytes encode_chunk(const engine::Prefix& manifest, uint32_t index, engine::ChunkResult result,
                   uint32_t retry_after_ms, ByteView data);

}  // namespace covey::codec
