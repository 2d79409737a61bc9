// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/secret_box.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/adapters/tls/gcm.hpp"

namespace covey::tls {
namespace {

Digest filled(uint8_t byte) {
  Digest key;
  key.bytes.fill(byte);
  return key;
}

TEST(SecretBox, OpensWithItsKeyAndLabel) {
  const Bytes secret(32, 0x5e);
  const Result<Bytes> one = close_box(filled(1), "site secret 1", secret);
  const Result<Bytes> two = close_box(filled(1), "site secret 1", secret);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(*one, *two);
  EXPECT_EQ(std::search(one->begin(), one->end(), secret.begin(), secret.end()), one->end());
  const Result<Bytes> opened = open_box(filled(1), "site secret 1", *one);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(*opened, secret);
}

TEST(SecretBox, RefusesAnotherKeyAnotherLabelAndEachChangedByte) {
  const Bytes box = *close_box(filled(1), "site secret 1", Bytes(32, 0x5e));
  EXPECT_EQ(open_box(filled(2), "site secret 1", box).error().reason, "BOX_INVALID");
  EXPECT_EQ(open_box(filled(1), "site secret 2", box).error().reason, "BOX_INVALID");
  for (size_t at = 0; at < box.size(); ++at) {
    Bytes changed = box;
    changed[at] ^= 1;
    EXPECT_FALSE(open_box(filled(1), "site secret 1", changed).ok()) << at;
    EXPECT_FALSE(open_box(filled(1), "site secret 1", ByteView(box).first(at)).ok()) << at;
  }
}

// McGrew, Viega: The Galois/Counter Mode of Operation, appendix B, test case 14.
TEST(SecretBox, IsGcmAsOthersKnowIt) {
  const Bytes zeros(16);
  const Result<Bytes> sealed = gcm_encrypt(EVP_aes_256_gcm(), Bytes(32), Bytes(12), {}, zeros);
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(to_hex(*sealed), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  EXPECT_EQ(gcm_decrypt(EVP_aes_256_gcm(), Bytes(32), Bytes(12), {}, *sealed), zeros);
}

}  // namespace
}  // namespace covey::tls
