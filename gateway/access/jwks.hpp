// SPDX-License-Identifier: Apache-2.0
// Public keys of an issuer of JWTs: a JSON Web Key Set (RFC 7517), as OIDC providers publish it.
// Pure; any thread. Errors: JWKS_INVALID.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace covey::access {

// Of RFC 7518, section 3.1: what a key is for is decided by the key, never by a token.
enum class JwtAlgorithm : uint8_t { kRs256, kEs256 };

struct JwtKey {
  std::string id;
  JwtAlgorithm algorithm = JwtAlgorithm::kRs256;
  std::shared_ptr<evp_pkey_st> key;
};

class Jwks {
 public:
  static constexpr size_t kBytesMax = 256U << 10U;
  static constexpr size_t kKeysMax = 64;

  // RSA keys of 2048 to 8192 bits and P-256 keys with an id; others are left out, as RFC 7517,
  // section 5 wants it. None that can be used: an error.
  static Result<Jwks> parse(std::string_view json);

  // Null: no such key.
  const JwtKey* find(std::string_view id) const;
  size_t size() const { return keys_.size(); }

 private:
  std::vector<JwtKey> keys_;
};

}  // namespace covey::access
