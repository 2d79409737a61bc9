// SPDX-License-Identifier: Apache-2.0
// Messages that only the holder of a device's own key can read: hybrid public key encryption (RFC
// 9180) in base mode, one message per encapsulation, with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256
// and AES-128-GCM: what an MCU's TLS has anyway.
//
// Thread safety: pure, but for the system's random source.
#pragma once

#include <string_view>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey::tls {

// What grants are sealed for; the agent has the same (device_agent/src/session/unseal.c).
inline constexpr std::string_view kEnrolmentInfo = "covey enrolment";

// enc | ciphertext | tag. Errors: REQUEST_INVALID (`point` is none of P-256), NO_RANDOMNESS.
Result<Bytes> seal(ByteView point, std::string_view info, ByteView plain);
// With the ephemeral key of a test vector (32 bytes, big endian) and associated data.
Result<Bytes> seal_from(ByteView ephemeral, ByteView point, std::string_view info, ByteView aad,
                        ByteView plain);

}  // namespace covey::tls
