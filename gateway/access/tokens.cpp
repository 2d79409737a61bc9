// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/tokens.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <utility>

namespace covey::access {

Result<std::string> make_token_secret() {
  Bytes random(32);
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return Error{Code::kInternal, "NO_RANDOMNESS", "the system's random source does not answer"};
  }
  return "covey_" + to_hex(random);
}

Digest token_hash(std::string_view secret) {
  Digest digest;
  unsigned int size = 0;
  COVEY_ASSERT(EVP_Digest(secret.data(), secret.size(), digest.bytes.data(), &size, EVP_sha256(),
                          nullptr) == 1);
  return digest;
}

void Tokens::put(Token token) {
  const std::lock_guard lock(mutex_);
  if (const auto earlier = by_name_.find(token.name); earlier != by_name_.end()) {
    by_hash_.erase(earlier->second);
  }
  by_name_[token.name] = token.hash;
  by_hash_.insert_or_assign(token.hash, std::move(token));
}

bool Tokens::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return false;
  by_hash_.erase(found->second);
  by_name_.erase(found);
  uses_.erase(name);
  return true;
}

std::optional<Token> Tokens::find(const Digest& hash, Millis now) {
  const std::lock_guard lock(mutex_);
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return std::nullopt;
  uses_[found->second.name] = now;
  return found->second;
}

bool Tokens::is_valid(const std::string& name, const Digest& hash) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  return found != by_name_.end() && found->second == hash;
}

std::map<std::string, Millis> Tokens::uses() const {
  const std::lock_guard lock(mutex_);
  return uses_;
}

}  // namespace covey::access
