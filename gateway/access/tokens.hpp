// SPDX-License-Identifier: Apache-2.0
// Bearer tokens of a site, by the digest of what their owner was shown once: the secret itself is
// kept nowhere. Thread-safe. The store and the engine have them, too; here is who is let in now.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/access/rules.hpp"

namespace covey::access {

struct Token {
  std::string name;
  Digest hash;  // of the secret
  Grant grant;
  Millis expires{0};  // wall; 0: never
};

// 256 random bits, with a prefix by which scanners of leaked secrets know it. Errors:
// NO_RANDOMNESS.
Result<std::string> make_token_secret();
Digest token_hash(std::string_view secret);

class Tokens {
 public:
  void put(Token token);
  // True: there was one.
  bool remove(const std::string& name);
  // None: nobody's. One that has expired is found, too. `now` (wall) counts as its last use.
  std::optional<Token> find(const Digest& hash, Millis now);
  // The token of that name is still the one with that hash.
  bool is_valid(const std::string& name, const Digest& hash) const;

  // Wall time of the last use, of all that were used since the start.
  std::map<std::string, Millis> uses() const;

 private:
  mutable std::mutex mutex_;  // guards all below
  std::unordered_map<Digest, Token> by_hash_;
  std::map<std::string, Digest> by_name_;
  std::map<std::string, Millis> uses_;
};

}  // namespace covey::access
