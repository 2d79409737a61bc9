// SPDX-License-Identifier: Apache-2.0
// X.509 (RFC 5280) as a site needs it: an authority of its own, certificates for servers, and what
// a certificate says. P-256 and ECDSA with SHA-256: what microcontrollers do in hardware or in
// time.
//
// Thread safety: pure, but for the system's random source. Errors: CERTIFICATE_INVALID (with what
// is wrong with it), KEY_INVALID, KEY_MISMATCH, NO_RANDOMNESS.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::tls {

// Both as PEM; the certificate may be followed by those above it. The key is a secret.
struct Credentials {
  std::string key;
  std::string certificate;

  bool operator==(const Credentials&) const = default;
};

struct CertificateFacts {
  std::string fingerprint;         // SHA-256 of the DER, "AB:CD:..."
  Millis not_before{0};            // since 1970, inclusive
  Millis not_after{0};             // inclusive
  std::vector<std::string> names;  // of hosts and addresses, sorted: subjectAltName
  bool authority = false;
};

// An authority without an end (RFC 5280, section 4.1.2.5: 99991231235959Z), for certificates of
// servers and devices, not of further authorities.
Result<Credentials> make_authority(std::string_view site);
// From a day before `now`, so that clocks may be a little behind, for `lifetime`. `names`: DNS
// names or IP addresses, at least one.
Result<Credentials> issue_server(const Credentials& authority,
                                 const std::vector<std::string>& names, Millis now,
                                 Millis lifetime);

// Of the first certificate in `pem`.
Result<CertificateFacts> facts_of(std::string_view pem);
// The key is the certificate's.
Status check_pair(const Credentials& credentials);
// The authority's signature is on the first certificate of `pem`.
bool issued_by(const Credentials& authority, std::string_view pem);

}  // namespace covey::tls
