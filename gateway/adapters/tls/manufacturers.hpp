// SPDX-License-Identifier: Apache-2.0
// Manufacturers whose certificates say who a device is (IEEE 802.1AR calls them initial device
// identifiers). A device shows its certificate when it asks to be let in; that it has the key is
// proven by what is sealed for it.
//
// Thread safety: constant once it is made; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::tls {

struct AuthorityCertificate {
  Bytes der;
  std::string subject;  // as RFC 2253 writes it
  Millis not_after{0};  // since 1970
};
// One certificate in PEM or DER that may issue others (CA, keyCertSign). Errors:
// CERTIFICATE_INVALID with what is wrong with it.
Result<AuthorityCertificate> authority_certificate(std::string_view text);

struct Manufacturer {
  std::string name;
  Bytes certificate;  // DER
};
struct ManufacturedDevice {
  Bytes key;              // a point of P-256
  Bytes digest;           // SHA-256 of the certificate
  std::string authority;  // that issued it; empty: none of these
  std::string why_not;    // it is none of these, e.g. "certificate has expired"
};

class Manufacturers {
 public:
  Manufacturers() = default;
  // What can't be read any more is left out.
  explicit Manufacturers(const std::vector<Manufacturer>& trusted);

  // What a certificate (X.509 in DER) says of a device. Its one common name, or where it has none
  // its one DNS name, must be the device's id, byte by byte. Errors: CERTIFICATE_INVALID,
  // CERTIFICATE_NAME.
  Result<ManufacturedDevice> device_of(ByteView der, const DeviceId& device, Millis now) const;

 private:
  struct Store;
  std::shared_ptr<const Store> store_;
};

}  // namespace covey::tls
