// SPDX-License-Identifier: Apache-2.0
// What the API tells of a site's certificates. Plain value.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::api {

// Of an authority of devices.
struct AuthorityFacts {
  Bytes certificate;  // DER
  std::string subject;
  Millis until{0};
};

struct TlsFacts {
  bool devices = false;        // speak TLS
  std::string ca;              // PEM, what they trust; empty: the operator's own, not known here
  std::string ca_fingerprint;  // SHA-256 of its DER, "AB:CD:..."
  // Reads one certificate, in PEM or DER; any thread. Errors: CERTIFICATE_INVALID.
  std::function<Result<AuthorityFacts>(std::string_view)> read_authority;
};

}  // namespace covey::api
