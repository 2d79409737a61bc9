// SPDX-License-Identifier: Apache-2.0
// The OpenSSL port against OpenSSL's own high-level functions and known vectors.
#include <gtest/gtest.h>

#include <algorithm>

#include "covey/error.h"
#include "tests/unit/agent/artifacts.hpp"

namespace covey::agent_test {
namespace {

const uint8_t* octets(const Bytes& bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

TEST(OpensslPort, HashInPieces) {
  const covey_crypto_t crypto = covey_openssl_crypto();
  const Bytes text(1000, 'a');
  covey_hash_t hash;
  uint8_t digest[32];
  crypto.hash_begin(crypto.ctx, &hash);
  for (size_t at = 0; at < text.size(); at += 70) {
    crypto.hash_update(crypto.ctx, &hash, text.data() + at, std::min<size_t>(70, text.size() - at));
  }
  crypto.hash_finish(crypto.ctx, &hash, digest);
  EXPECT_EQ(Bytes(reinterpret_cast<char*>(digest), 32), sha256(text));
}

TEST(OpensslPort, Mac) {
  const covey_crypto_t crypto = covey_openssl_crypto();
  const Bytes key(32, '\x0b');
  const Bytes one = "goal";
  const Bytes two = "payload";
  const covey_bytes_t parts[] = {{octets(one), one.size()}, {octets(two), two.size()}};
  uint8_t mac[32];
  ASSERT_EQ(crypto.mac(crypto.ctx, octets(key), parts, 2, mac), 0);
  EXPECT_EQ(Bytes(reinterpret_cast<char*>(mac), 32), hmac(key, one + two));
}

TEST(OpensslPort, Verify) {
  const covey_crypto_t crypto = covey_openssl_crypto();
  for (const auto algorithm :
       {wire::SIGNATURE_ALGORITHM_ES256, wire::SIGNATURE_ALGORITHM_ED25519}) {
    const AuthorKey key(algorithm);
    const AuthorKey other(algorithm);
    const covey_public_key_t anchor = key.anchor();
    const covey_public_key_t stranger = other.anchor();
    const Bytes digest = sha256("manifest");
    Bytes signature = key.sign("manifest").signature();
    EXPECT_EQ(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(signature)), 0);
    EXPECT_EQ(crypto.verify(crypto.ctx, &stranger, octets(digest), octets(signature)),
              COVEY_ERROR_SIGNATURE_INVALID);
    signature[40] = static_cast<char>(signature[40] ^ 1);
    EXPECT_EQ(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(signature)),
              COVEY_ERROR_SIGNATURE_INVALID);
    const Bytes nothing(64, '\0');
    EXPECT_NE(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(nothing)), 0);
    covey_public_key_t bad = anchor;
    bad.key_size = 7;
    EXPECT_EQ(crypto.verify(crypto.ctx, &bad, octets(digest), octets(signature)),
              COVEY_ERROR_KEY_UNKNOWN);
    bad = anchor;
    bad.algorithm = 9;
    EXPECT_EQ(crypto.verify(crypto.ctx, &bad, octets(digest), octets(signature)),
              COVEY_ERROR_ALGORITHM_UNSUPPORTED);
  }
}

}  // namespace
}  // namespace covey::agent_test
