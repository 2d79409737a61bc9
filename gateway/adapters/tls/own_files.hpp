// SPDX-License-Identifier: Apache-2.0
// Certificates and keys that somebody else made and put into files. Any thread.
#pragma once

#include <string>

#include "core/result.hpp"
#include "gateway/adapters/tls/certificates.hpp"

namespace covey::tls {

// Paths of PEM files; empty: there is none.
struct OwnFiles {
  std::string certificate;  // followed by those above it
  std::string key;          // of that
  std::string ca;           // what the other side trusts, or vouches for it
};
struct Own {
  Credentials credentials;
  std::string ca;
};

// Of PEM files: a chain of some certificates has some kilobytes.
inline constexpr size_t kPemBytesMax = 64U << 10U;

// Whole, readable by whom they should be, a pair, in its time. Errors: CERTIFICATE_INVALID, all
// faults of all files in one message.
Result<Own> read_own(const OwnFiles& files, Millis now);

// A key that everybody may read is no secret any more. Errors: TLS_FILES.
Status check_secret(const std::string& path);

}  // namespace covey::tls
