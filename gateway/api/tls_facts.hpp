// SPDX-License-Identifier: Apache-2.0
// What the API tells of a site's certificates. Plain value.
#pragma once

#include <string>

namespace covey::api {

struct TlsFacts {
  bool devices = false;        // speak TLS
  std::string ca;              // PEM, what they trust; empty: the operator's own, not known here
  std::string ca_fingerprint;  // SHA-256 of its DER, "AB:CD:..."
};

}  // namespace covey::api
