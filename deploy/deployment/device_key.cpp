// SPDX-License-Identifier: Apache-2.0
#include "deploy/deployment/device_key.hpp"

#include <array>

#include "deploy/signing/sha256.hpp"

namespace covey {

std::string device_key_fingerprint(ByteView point) {
  // SubjectPublicKeyInfo of a point of P-256 (RFC 5480) before the point.
  static constexpr std::array<uint8_t, 26> kInfo{
      0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
      0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
  if (point.empty()) return {};
  Bytes info(kInfo.begin(), kInfo.end());
  info.insert(info.end(), point.begin(), point.end());
  return to_hex(sha256(info));
}

}  // namespace covey
