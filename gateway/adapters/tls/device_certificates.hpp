// SPDX-License-Identifier: Apache-2.0
// Certificates of devices: what a device's request (PKCS#10, RFC 2986) may ask for, and what the
// site's authority issues and revokes (RFC 5280). The name is the device's id and nothing else; a
// request decides about its key only.
//
// Thread safety: DeviceAuthority is constant once it is open; any thread.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/adapters/tls/certificates.hpp"

namespace covey::tls {

// An uncompressed point of P-256 (SEC 1, section 2.3.3).
inline constexpr size_t kPointBytes = 65;
inline constexpr size_t kRequestBytesMax = 1024;
inline constexpr size_t kSerialBytes = 16;
using Serial = std::array<uint8_t, kSerialBytes>;  // big endian; the first bit is 0

// The key of a request in DER, as a point. The signature proves that the device has the other half.
// A subject must be the device's id, or empty; extensions are not looked at: the authority decides
// them. Errors: REQUEST_INVALID.
Result<Bytes> key_of_request(ByteView der, const DeviceId& device);
// Errors: REQUEST_INVALID unless it is a point of the curve.
Status check_point(ByteView point);

struct DeviceCertificate {
  DeviceId device;
  Bytes key;  // a point
  Serial serial{};
  Millis not_before{0};  // since 1970
  Millis not_after{0};
};

class DeviceAuthority {
 public:
  // Errors: CERTIFICATE_INVALID, KEY_INVALID.
  static Result<DeviceAuthority> open(const Credentials& authority);

  // DER. Twice with the same facts: another signature, the same certificate otherwise.
  Result<Bytes> issue(const DeviceCertificate& facts) const;
  // PEM. Of two lists that one process has read the one with the higher number counts: by the time
  // that it says, which is the number's, lies before any clock and has no end, so that a wrong
  // clock shuts nobody out.
  Result<std::string> revocation_list(std::span<const Serial> serials, uint32_t number) const;

 private:
  struct Keys;
  explicit DeviceAuthority(std::shared_ptr<const Keys> keys) : keys_(std::move(keys)) {}

  std::shared_ptr<const Keys> keys_;
};

}  // namespace covey::tls
