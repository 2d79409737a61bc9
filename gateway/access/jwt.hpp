// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens (RFC 7519) as OIDC providers sign them: RS256 and ES256 only, by keys that are
// known, for us, in their time. Pure; any thread.
//
// Errors, all UNAUTHENTICATED: JWT_MALFORMED, JWT_ALGORITHM (none, HS256 and all others too),
// JWT_KEY (no such key, or one for another algorithm), JWT_SIGNATURE, JWT_ISSUER, JWT_AUDIENCE,
// JWT_EXPIRED, JWT_NOT_YET.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/access/jwks.hpp"

namespace covey::access {

inline constexpr size_t kJwtBytesMax = 8U << 10U;
inline constexpr Millis kJwtSlack{30'000};  // clocks of issuers differ from ours

struct JwtClaims {
  std::string subject;
  Millis expires{0};  // wall
  // Of texts, numbers and truth values the text; of a list each of its own.
  std::map<std::string, std::vector<std::string>> values;
};

// Three parts with dots between: worth a look as JWT.
bool looks_like_jwt(std::string_view token);
// Whose it claims to be; nothing is verified. Errors: JWT_MALFORMED.
Result<std::string> claimed_issuer(std::string_view token);

struct JwtExpected {
  std::string_view issuer;
  std::string_view audience;
  const Jwks& keys;
  Millis now;  // wall
};
Result<JwtClaims> verify_jwt(std::string_view token, const JwtExpected& expected);

}  // namespace covey::access
