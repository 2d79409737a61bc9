// SPDX-License-Identifier: Apache-2.0
// The PSA port against OpenSSL: what signs and hashes here is not what checks.
#include <gtest/gtest.h>

#include <algorithm>

#include "covey/error.h"
#include "covey/port_psa.h"
#include "tests/unit/agent/artifacts.hpp"

namespace covey::port_test {
namespace {

using agent_test::AuthorKey;
using agent_test::Bytes;
namespace wire = agent_test::wire;

const uint8_t* octets(const Bytes& bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

class PsaPort : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(covey_psa_crypto(&crypto), 0); }

  Bytes hash(const Bytes& text, size_t piece) const {
    covey_hash_t hash;
    uint8_t digest[32];
    crypto.hash_begin(crypto.ctx, &hash);
    for (size_t at = 0; at < text.size(); at += piece) {
      crypto.hash_update(crypto.ctx, &hash, text.data() + at, std::min(piece, text.size() - at));
    }
    crypto.hash_finish(crypto.ctx, &hash, digest);
    return {reinterpret_cast<char*>(digest), sizeof digest};
  }

  covey_crypto_t crypto{};
};

TEST_F(PsaPort, HashInPieces) {
  for (const size_t size : {0, 1, 55, 56, 64, 1000}) {
    const Bytes text(size, 'a');
    for (const size_t piece : {1, 70, 1000}) {
      EXPECT_EQ(hash(text, piece), agent_test::sha256(text)) << size << " in " << piece;
    }
  }
}

TEST_F(PsaPort, AHashMayBeAbandoned) {
  for (int i = 0; i < 10'000; i++) {
    covey_hash_t hash;
    crypto.hash_begin(crypto.ctx, &hash);
    crypto.hash_update(crypto.ctx, &hash, "abandoned", 9);
  }
  EXPECT_EQ(hash("text", 4), agent_test::sha256("text"));
}

// One over an image, from poll to poll; others begin and end in between.
TEST_F(PsaPort, TwoHashesGoOnAtATime) {
  covey_hash_t image;
  uint8_t digest[32];
  for (int round = 0; round < 3; ++round) {  // the second one begins where the first was abandoned
    crypto.hash_begin(crypto.ctx, &image);
    for (int i = 0; i < 100; ++i) {
      crypto.hash_update(crypto.ctx, &image, "image", 5);
      EXPECT_EQ(hash("row", 2), agent_test::sha256("row"));
    }
  }
  Bytes all;
  for (int i = 0; i < 100; ++i) all += "image";
  crypto.hash_finish(crypto.ctx, &image, digest);
  EXPECT_EQ(Bytes(reinterpret_cast<char*>(digest), 32), agent_test::sha256(all));
}

// A third one takes the place of that which was used longest ago: its digest matches nothing.
TEST_F(PsaPort, AHashThatLostItsPlaceHasNoDigest) {
  covey_hash_t hashes[3];
  uint8_t digest[32];
  for (covey_hash_t& hash : hashes) {
    crypto.hash_begin(crypto.ctx, &hash);
    crypto.hash_update(crypto.ctx, &hash, "x", 1);
  }
  crypto.hash_finish(crypto.ctx, &hashes[0], digest);
  EXPECT_EQ(Bytes(reinterpret_cast<char*>(digest), 32), Bytes(32, '\0'));
  for (int i = 1; i < 3; ++i) {
    crypto.hash_finish(crypto.ctx, &hashes[i], digest);
    EXPECT_EQ(Bytes(reinterpret_cast<char*>(digest), 32), agent_test::sha256("x"));
  }
}

TEST_F(PsaPort, Mac) {
  const Bytes key(32, '\x0b');
  const Bytes one = "goal";
  const Bytes two = "payload";
  const covey_bytes_t parts[] = {
      {octets(one), one.size()}, {nullptr, 0}, {octets(two), two.size()}};
  uint8_t mac[32];
  for (int i = 0; i < 200; i++) {  // more often than there are key slots
    ASSERT_EQ(crypto.mac(crypto.ctx, octets(key), parts, 3, mac), 0);
  }
  EXPECT_EQ(Bytes(reinterpret_cast<char*>(mac), 32), agent_test::hmac(key, one + two));
}

TEST_F(PsaPort, Verify) {
  const AuthorKey key(wire::SIGNATURE_ALGORITHM_ES256);
  const AuthorKey other(wire::SIGNATURE_ALGORITHM_ES256);
  const covey_public_key_t anchor = key.anchor();
  const covey_public_key_t stranger = other.anchor();
  const Bytes digest = agent_test::sha256("manifest");
  Bytes signature = key.sign("manifest").signature();
  for (int i = 0; i < 100; i++) {
    ASSERT_EQ(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(signature)), 0);
  }
  EXPECT_EQ(crypto.verify(crypto.ctx, &stranger, octets(digest), octets(signature)),
            COVEY_ERROR_SIGNATURE_INVALID);
  EXPECT_EQ(
      crypto.verify(crypto.ctx, &anchor, octets(agent_test::sha256("other")), octets(signature)),
      COVEY_ERROR_SIGNATURE_INVALID);
  signature[40] = static_cast<char>(signature[40] ^ 1);
  EXPECT_EQ(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(signature)),
            COVEY_ERROR_SIGNATURE_INVALID);
  EXPECT_NE(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(Bytes(64, '\0'))), 0);
  EXPECT_NE(crypto.verify(crypto.ctx, &anchor, octets(digest), octets(Bytes(64, '\xff'))), 0);
}

TEST_F(PsaPort, KeysThatAreNone) {
  const AuthorKey key(wire::SIGNATURE_ALGORITHM_ES256);
  const Bytes digest = agent_test::sha256("manifest");
  const Bytes signature = key.sign("manifest").signature();
  covey_public_key_t bad = key.anchor();
  bad.key_size = 7;
  EXPECT_EQ(crypto.verify(crypto.ctx, &bad, octets(digest), octets(signature)),
            COVEY_ERROR_KEY_UNKNOWN);
  const Bytes off_the_curve = "\x04" + Bytes(64, '\x01');
  bad = key.anchor();
  bad.key = octets(off_the_curve);
  EXPECT_EQ(crypto.verify(crypto.ctx, &bad, octets(digest), octets(signature)),
            COVEY_ERROR_KEY_UNKNOWN);
  bad = key.anchor();
  bad.algorithm = COVEY_ALGORITHM_ED25519;
  EXPECT_EQ(crypto.verify(crypto.ctx, &bad, octets(digest), octets(signature)),
            COVEY_ERROR_ALGORITHM_UNSUPPORTED);
}

TEST_F(PsaPort, PublicKeyHasTheIdOfTheWire) {
  const AuthorKey key(wire::SIGNATURE_ALGORITHM_ES256);
  const covey_public_key_t anchor = key.anchor();
  covey_public_key_t made;
  covey_psa_public_key(anchor.key, anchor.key_size, &made);
  EXPECT_TRUE(std::equal(made.key_id, made.key_id + sizeof made.key_id, anchor.key_id));
  EXPECT_EQ(made.algorithm, anchor.algorithm);
}

TEST_F(PsaPort, RandomBytesDiffer) {
  uint8_t one[16] = {};
  uint8_t two[16] = {};
  ASSERT_EQ(crypto.random(crypto.ctx, one, sizeof one), 0);
  ASSERT_EQ(crypto.random(crypto.ctx, two, sizeof two), 0);
  EXPECT_FALSE(std::equal(one, one + sizeof one, two));
}

}  // namespace
}  // namespace covey::port_test
