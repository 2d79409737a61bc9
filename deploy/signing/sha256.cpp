// SPDX-License-Identifier: Apache-2.0
#include "deploy/signing/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "core/assert.hpp"

namespace covey {
namespace {

constexpr size_t kBlockBytes = 64;

// Fetched once and kept: EVP_sha256() is looked up anew at each use.
const EVP_MD* algorithm() {
  static EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  COVEY_ASSERT(fetched != nullptr);
  return fetched;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() {
    COVEY_ASSERT(context != nullptr);
    restart();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void restart() { COVEY_ASSERT(EVP_DigestInit_ex(context, algorithm(), nullptr) == 1); }
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

Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> message) {
  std::array<uint8_t, kBlockBytes> block{};
  if (key.size() > block.size()) {
    std::ranges::copy(sha256(key).bytes, block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  const auto keyed = [&](uint8_t pad) {
    std::array<uint8_t, kBlockBytes> padded = block;
    for (uint8_t& byte : padded) byte ^= pad;
    return padded;
  };
  // The two passes of RFC 2104 over a context per thread: libcrypto's own HMAC allocates, and looks
  // its digest up each time.
  thread_local Sha256 hash;
  hash.update(keyed(0x36));
  for (const ByteView piece : message) hash.update(piece);
  const Digest inner = hash.finish();
  return hash.update(keyed(0x5c)).update(inner.bytes).finish();
}

Digest hmac_sha256(ByteView key, ByteView message) { return hmac_sha256(key, {message}); }

Digest16 hmac_sha256_16(ByteView key, std::initializer_list<ByteView> message) {
  return truncate16(hmac_sha256(key, message));
}

Digest16 hmac_sha256_16(ByteView key, ByteView message) { return hmac_sha256_16(key, {message}); }

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace covey
