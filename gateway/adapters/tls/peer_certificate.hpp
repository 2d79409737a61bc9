// SPDX-License-Identifier: Apache-2.0
// What a caller's certificate calls him, once the handshake has verified it. Any thread.
#pragma once

#include <openssl/types.h>

#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::tls {

struct PeerCertificate {
  std::string name;  // the URI of its alternative names, else its common name
  Millis not_after{0};
};

// None: no certificate was shown. Errors: CERTIFICATE_NAME, for one whose name nobody should have:
// none or several, a NUL, or any character beyond letters, digits and . _ - @ (in a URI also : and
// /): what could be taken for another's name, a pattern, a topic or a path.
Result<std::optional<PeerCertificate>> peer_certificate(ssl_st* connection);
Result<PeerCertificate> name_of_certificate(x509_st* certificate);

}  // namespace covey::tls
