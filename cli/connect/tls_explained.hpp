// SPDX-License-Identifier: Apache-2.0
// Why a site cannot be reached over TLS, in words, and what to do: gRPC says "failed to connect" to
// all of it. Shakes hands once more, by itself; some seconds at most. Also what a site shows, for
// whoever pins its authority. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/connect/credentials.hpp"
#include "core/result.hpp"

namespace covey::cli {

// None: it is not TLS. Reasons: TLS_WRONG_CA, TLS_WRONG_NAME, TLS_EXPIRED, TLS_NOT_YET,
// TLS_CERTIFICATE, TLS_CLIENT_CERTIFICATE, TLS_NOT_SPOKEN (plaintext behind the port),
// TLS_REQUIRED (plaintext was spoken to a port of TLS).
std::optional<Error> explain_tls(const std::string& address, const Credentials& credentials);

struct SeenCertificate {
  std::string pem;
  std::string fingerprint;  // SHA-256 of the DER, "AB:CD:..."
};
// What the site shows, its own first; nothing is verified. Errors: UNREACHABLE, TLS_NOT_SPOKEN.
Result<std::vector<SeenCertificate>> certificates_at(const std::string& address);

}  // namespace covey::cli
