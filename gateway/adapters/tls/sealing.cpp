// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/sealing.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <array>
#include <initializer_list>

#include "core/assert.hpp"
#include "gateway/adapters/tls/device_certificates.hpp"
#include "gateway/adapters/tls/gcm.hpp"
#include "gateway/adapters/tls/points.hpp"

namespace covey::tls {
namespace {

using Group = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;

constexpr size_t kHashBytes = 32;
constexpr size_t kKeyBytes = 16;
constexpr std::string_view kVersion = "HPKE-v1";
// RFC 9180, sections 4.1 and 5.1, with the numbers of section 7.
constexpr std::string_view kKemSuite("KEM\x00\x10", 5);
constexpr std::string_view kSuite("HPKE\x00\x10\x00\x01\x00\x01", 10);

Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes all;
  for (const ByteView part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Bytes hmac(ByteView key, ByteView message) {
  Bytes out(kHashBytes);
  unsigned int size = 0;
  COVEY_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                    message.size(), out.data(), &size) != nullptr);
  return out;
}

// RFC 9180, section 4. An empty salt is a hash full of zeros (RFC 5869, section 2.2).
Bytes labeled_extract(std::string_view suite, ByteView salt, std::string_view label, ByteView ikm) {
  const Bytes zeros(kHashBytes);
  return hmac(salt.empty() ? ByteView(zeros) : salt,
              joined({view(kVersion), view(suite), view(label), ikm}));
}

// One block is enough for all that is asked for here.
Bytes labeled_expand(std::string_view suite, ByteView prk, std::string_view label, ByteView info,
                     size_t size) {
  const std::array<uint8_t, 2> length{0, static_cast<uint8_t>(size)};
  const std::array<uint8_t, 1> block{1};
  Bytes out = hmac(prk, joined({length, view(kVersion), view(suite), view(label), info, block}));
  out.resize(size);
  return out;
}

Bytes agree(EVP_PKEY* own, EVP_PKEY* other) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  Bytes secret(kHashBytes);
  size_t size = secret.size();
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other) != 1 ||
      EVP_PKEY_derive(context.get(), secret.data(), &size) != 1 || size != secret.size()) {
    ERR_clear_error();
    return {};
  }
  return secret;
}

Result<Bytes> seal_with(EVP_PKEY* ephemeral, ByteView point, std::string_view info, ByteView aad,
                        ByteView plain) {
  const Key recipient = key_of_point(point);
  if (!recipient) return check_point(point).error();
  const Bytes enc = point_of_key(ephemeral);
  const Bytes dh = agree(ephemeral, recipient.get());
  if (enc.empty() || dh.empty()) {
    return Error{Code::kInternal, "SEALING", "no agreement with the device's key"};
  }
  const Bytes eae = labeled_extract(kKemSuite, {}, "eae_prk", dh);
  const Bytes shared =
      labeled_expand(kKemSuite, eae, "shared_secret", joined({enc, point}), kHashBytes);
  const std::array<uint8_t, 1> base{0};
  const Bytes context = joined({base, labeled_extract(kSuite, {}, "psk_id_hash", {}),
                                labeled_extract(kSuite, {}, "info_hash", view(info))});
  const Bytes secret = labeled_extract(kSuite, shared, "secret", {});
  const Bytes key = labeled_expand(kSuite, secret, "key", context, kKeyBytes);
  const Bytes nonce = labeled_expand(kSuite, secret, "base_nonce", context, kNonceBytes);
  const Result<Bytes> sealed = gcm_encrypt(EVP_aes_128_gcm(), key, nonce, aad, plain);
  if (!sealed) return sealed.error();
  return joined({enc, *sealed});
}

}  // namespace

Result<Bytes> seal(ByteView point, std::string_view info, ByteView plain) {
  const Key ephemeral(EVP_EC_gen("P-256"));
  if (!ephemeral) {
    ERR_clear_error();
    return Error{Code::kInternal, "NO_RANDOMNESS", "the system's random source does not answer"};
  }
  return seal_with(ephemeral.get(), point, info, {}, plain);
}

Result<Bytes> seal_from(ByteView ephemeral, ByteView point, std::string_view info, ByteView aad,
                        ByteView plain) {
  const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const Number scalar(BN_bin2bn(ephemeral.data(), static_cast<int>(ephemeral.size()), nullptr));
  if (!group || !scalar) return invalid("KEY_INVALID", "ephemeral: no number");
  const Point public_point(EC_POINT_new(group.get()));
  Bytes encoded(kPointBytes);
  if (!public_point ||
      EC_POINT_mul(group.get(), public_point.get(), scalar.get(), nullptr, nullptr, nullptr) != 1 ||
      EC_POINT_point2oct(group.get(), public_point.get(), POINT_CONVERSION_UNCOMPRESSED,
                         encoded.data(), encoded.size(), nullptr) != kPointBytes) {
    return invalid("KEY_INVALID", "ephemeral: no key of P-256");
  }
  // OSSL_PARAM has numbers in the machine's order.
  Bytes native(kHashBytes);
  BN_bn2nativepad(scalar.get(), native.data(), static_cast<int>(native.size()));
  std::array<char, 6> name{"P-256"};
  std::array<OSSL_PARAM, 4> params{
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size()),
      OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native.data(), native.size()),
      OSSL_PARAM_construct_end()};
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params.data()) != 1) {
    return invalid("KEY_INVALID", "ephemeral: " + openssl_said());
  }
  return seal_with(Key(key).get(), point, info, aad, plain);
}

}  // namespace covey::tls
