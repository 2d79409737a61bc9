// SPDX-License-Identifier: Apache-2.0
// A device's own key by PSA, against the one by OpenSSL.
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "core/digest.hpp"
#include "core/freed.hpp"
#include "covey/error.h"
#include "covey/port_openssl.h"
#include "covey/port_psa.h"

namespace covey::port_test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Scalar = std::array<uint8_t, COVEY_PSA_SCALAR_BYTES>;
using Point = std::array<uint8_t, COVEY_POINT_BYTES>;

class PsaDeviceKey : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(covey_psa_crypto(&crypto), 0);
    ASSERT_EQ(covey_psa_make_scalar(scalar.data()), 0);
    ASSERT_EQ(covey_psa_load_key(scalar.data(), &own), 0);
    covey_psa_device_key(&own, nullptr, &key);
    ASSERT_EQ(key.public_key(key.ctx, point.data()), 0);
  }

  covey_crypto_t crypto{};
  Scalar scalar{};
  covey_psa_own_key_t own{};
  covey_device_key_t key{};
  Point point{};
};

TEST_F(PsaDeviceKey, ItsSignatureIsGoodForItsPublicHalf) {
  const covey_crypto_t other = covey_openssl_crypto();
  const covey_public_key_t half =
      covey_openssl_public_key(COVEY_ALGORITHM_ES256, point.data(), point.size());
  std::array<uint8_t, COVEY_DIGEST_BYTES> digest{7};
  std::array<uint8_t, COVEY_SIGNATURE_BYTES> signature{};
  for (int i = 0; i < 50; ++i) {  // more often than there are key slots
    ASSERT_EQ(key.sign(key.ctx, digest.data(), signature.data()), 0);
    ASSERT_EQ(other.verify(other.ctx, &half, digest.data(), signature.data()), 0);
  }
  digest[0] = 8;
  EXPECT_NE(other.verify(other.ctx, &half, digest.data(), signature.data()), 0);
}

TEST_F(PsaDeviceKey, BothSidesAgreeAndAPointOffTheCurveIsRefused) {
  const Key evp(EVP_EC_gen("P-256"));
  const covey_device_key_t theirs = covey_openssl_device_key(evp.get(), nullptr);
  Point their_point{};
  ASSERT_EQ(theirs.public_key(theirs.ctx, their_point.data()), 0);
  std::array<uint8_t, 32> here{};
  std::array<uint8_t, 32> there{};
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(key.agree(key.ctx, their_point.data(), here.data()), 0);
  }
  ASSERT_EQ(theirs.agree(theirs.ctx, point.data(), there.data()), 0);
  EXPECT_EQ(here, there);
  their_point[40] ^= 1;
  EXPECT_NE(key.agree(key.ctx, their_point.data(), here.data()), 0);
  EXPECT_NE(key.agree(key.ctx, Point{4}.data(), here.data()), 0);
}

// McGrew, Viega: The Galois/Counter Mode of Operation, appendix B, test case 2.
TEST_F(PsaDeviceKey, OpensWhatIsSealed) {
  const std::array<uint8_t, 16> zeros{};
  const covey::Bytes sealed =
      *from_hex("0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf");
  std::array<uint8_t, 16> plain{1};
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(key.decrypt(key.ctx, zeros.data(), zeros.data(), sealed.data(), 16, plain.data()), 0);
  }
  EXPECT_EQ(plain, zeros);
  for (size_t at = 0; at < sealed.size(); ++at) {
    covey::Bytes changed = sealed;
    changed[at] ^= 1;
    EXPECT_NE(key.decrypt(key.ctx, zeros.data(), zeros.data(), changed.data(), 16, plain.data()), 0)
        << at;
  }
}

TEST_F(PsaDeviceKey, IsTheSameAtEachStartAndANewOneEachTime) {
  covey_psa_own_key_t again{};
  covey_device_key_t key_again{};
  Point point_again{};
  ASSERT_EQ(covey_psa_load_key(scalar.data(), &again), 0);
  covey_psa_device_key(&again, nullptr, &key_again);
  ASSERT_EQ(key_again.public_key(key_again.ctx, point_again.data()), 0);
  EXPECT_EQ(point_again, point);
  Scalar another{};
  ASSERT_EQ(covey_psa_make_scalar(another.data()), 0);
  EXPECT_NE(another, scalar);
  EXPECT_EQ(covey_psa_load_key(Scalar{}.data(), &again), COVEY_ERROR_CRYPTO) << "zero is no key";
}

}  // namespace
}  // namespace covey::port_test
