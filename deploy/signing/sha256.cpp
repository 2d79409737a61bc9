#include "deploy/signing/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "core/assert.hpp"

namespace covey {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() {
    COVEY_ASSERT(context != nullptr);
    restart();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void restart() { COVEY_ASSERT(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView bytes) {
  COVEY_ASSERT(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  unsigned int size = 0;
  COVEY_ASSERT(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), &size) == 1);
  COVEY_ASSERT(size == digest.bytes.size());
  state_->restart();
  return digest;
}

Digest sha256(ByteView bytes) {
  // A context per thread: ordering 100,000 devices hashes as often, and allocation would dominate.
  thread_local Sha256 hash;
  return hash.update(bytes).finish();
}

Digest16 truncate16(const Digest& digest) {
  Digest16 head;
  std::copy_n(digest.bytes.begin(), head.size(), head.begin());
  return head;
}

Digest hmac_sha256(ByteView key, ByteView message) {
  Digest mac;
  unsigned int size = 0;
  const uint8_t nothing = 0;  // HMAC() takes a null key for "the previous one"
  const uint8_t* key_data = key.empty() ? &nothing : key.data();
  COVEY_ASSERT(HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()), message.data(),
                    message.size(), mac.bytes.data(), &size) != nullptr);
  COVEY_ASSERT(size == mac.bytes.size());
  return mac;
}

Digest16 hmac_sha256_16(ByteView key, ByteView message) {
  return truncate16(hmac_sha256(key, message));
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace covey
