// SPDX-License-Identifier: Apache-2.0
// A token of a stranger and a key set of an issuer: the first line is the token, the rest the set.
// Whatever they are, nothing is taken that no key of the set has signed, and nobody here can sign.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/assert.hpp"
#include "gateway/access/base64url.hpp"
#include "gateway/access/jwt.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace covey;
  using namespace covey::access;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\n');
  const std::string_view token = text.substr(0, end);
  (void)from_base64url(token);
  const Result<std::string> issuer = claimed_issuer(token);
  if (end == std::string_view::npos) return 0;
  const Result<Jwks> keys = Jwks::parse(text.substr(end + 1));
  if (!keys) return 0;
  const Result<JwtClaims> claims = verify_jwt(
      token, {.issuer = issuer ? *issuer : "i", .audience = "a", .keys = *keys, .now = Millis{1}});
  if (claims) COVEY_ASSERT(!claims->subject.empty());
  return 0;
}
