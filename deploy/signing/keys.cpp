// SPDX-License-Identifier: Apache-2.0
#include "deploy/signing/keys.hpp"

#include <fmt/format.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <limits>

#include "core/assert.hpp"
#include "core/freed.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey {
namespace detail {
struct OpensslKey {
  EVP_PKEY* key;

  explicit OpensslKey(EVP_PKEY* owned) : key(owned) {}
  ~OpensslKey() { EVP_PKEY_free(key); }
  OpensslKey(const OpensslKey&) = delete;
  OpensslKey& operator=(const OpensslKey&) = delete;
};
}  // namespace detail

namespace {

using Key = std::shared_ptr<const detail::OpensslKey>;

using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

constexpr size_t kPointBytes = 65;
constexpr size_t kEd25519Bytes = 32;
constexpr size_t kPemBytesMax = 16'384;

// What OpenSSL left in its per-thread queue must not surface in somebody else's call.
Error failed(std::string reason, std::string message) {
  ERR_clear_error();
  return invalid(std::move(reason), std::move(message));
}

Key own(EVP_PKEY* key) {
  return key == nullptr ? nullptr : std::make_shared<const detail::OpensslKey>(key);
}

Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

// No prompt on the terminal for an encrypted key: it is refused.
int no_passphrase(char*, int, int, void*) { return -1; }

Result<Bytes> raw_public(EVP_PKEY* key, SignatureAlgorithm algorithm) {
  Bytes raw(algorithm == SignatureAlgorithm::kEs256 ? kPointBytes : kEd25519Bytes);
  size_t size = raw.size();
  if (algorithm == SignatureAlgorithm::kEd25519) {
    if (EVP_PKEY_get_raw_public_key(key, raw.data(), &size) != 1 || size != raw.size()) {
      return failed("BAD_KEY", "not a usable Ed25519 key");
    }
    return raw;
  }
  // The key may have been written with a compressed point: ask for the coordinates.
  BIGNUM* x = nullptr;
  BIGNUM* y = nullptr;
  const bool read = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
                    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
                    BN_bn2binpad(x, raw.data() + 1, 32) == 32 &&
                    BN_bn2binpad(y, raw.data() + 33, 32) == 32;
  BN_free(x);
  BN_free(y);
  if (!read) return failed("BAD_KEY", "not a usable P-256 key");
  raw[0] = 4;
  return raw;
}

Result<SignatureAlgorithm> algorithm_of(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return SignatureAlgorithm::kEd25519;
  std::array<char, 64> group{};
  if (EVP_PKEY_is_a(key, "EC") == 1 &&
      EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
      std::string_view(group.data()) == "prime256v1") {
    return SignatureAlgorithm::kEs256;
  }
  return failed("ALGORITHM_UNSUPPORTED",
                "only P-256 (ES256) and Ed25519 keys sign manifests: make one with `covey key "
                "generate`");
}

}  // namespace

std::string_view to_string(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kEs256:
      return "ES256";
    case SignatureAlgorithm::kEd25519:
      return "ED25519";
  }
  return "UNKNOWN";
}

Result<SignatureAlgorithm> parse_signature_algorithm(std::string_view text) {
  std::string upper(text.substr(0, 16));
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  if (upper == "ES256") return SignatureAlgorithm::kEs256;
  if (upper == "ED25519") return SignatureAlgorithm::kEd25519;
  return invalid("ALGORITHM_UNSUPPORTED", "'" + std::string(text.substr(0, 32)) +
                                              "' is not a signature algorithm: write ES256 or "
                                              "ED25519");
}

std::optional<SignatureAlgorithm> signature_algorithm_from_wire(uint32_t number) {
  if (number == 1) return SignatureAlgorithm::kEs256;
  if (number == 2) return SignatureAlgorithm::kEd25519;
  return std::nullopt;
}

Result<PublicKey> PublicKey::from_openssl(std::shared_ptr<const detail::OpensslKey> key) {
  Result<SignatureAlgorithm> algorithm = algorithm_of(key->key);
  if (!algorithm) return algorithm.error();
  Result<Bytes> raw = raw_public(key->key, *algorithm);
  if (!raw) return raw.error();
  PublicKey result;
  result.algorithm_ = *algorithm;
  result.raw_ = *std::move(raw);
  result.key_ = std::move(key);
  const Digest digest = sha256(result.raw_);
  std::copy_n(digest.bytes.begin(), result.id_.size(), result.id_.begin());
  return result;
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return invalid("BAD_KEY", "a public key file has at most 16 KiB");
  const Bio bio = reader(pem);
  Key key = own(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) {
    return failed("BAD_KEY", "not a public key in PEM (expected -----BEGIN PUBLIC KEY-----)");
  }
  return from_openssl(std::move(key));
}

Result<PublicKey> PublicKey::from_raw(SignatureAlgorithm algorithm, ByteView raw) {
  if (algorithm == SignatureAlgorithm::kEd25519) {
    if (raw.size() != kEd25519Bytes) {
      return invalid("BAD_KEY", "a raw Ed25519 public key is 32 bytes");
    }
    Key key = own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
    if (key == nullptr) return failed("BAD_KEY", "not an Ed25519 public key");
    return from_openssl(std::move(key));
  }
  if (raw.size() != kPointBytes || raw[0] != 4) {
    return invalid("BAD_KEY", "a raw P-256 public key is a 65-byte uncompressed point");
  }
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  std::string group = "prime256v1";
  Bytes point(raw.begin(), raw.end());
  const std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(parameters.data())) != 1) {
    return failed("BAD_KEY", "not a point on P-256");
  }
  return from_openssl(own(made));
}

std::string PublicKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  COVEY_ASSERT(bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), key_->key) == 1);
  return written(bio.get());
}

Status PublicKey::verify(const Digest& manifest, const RawSignature& signature) const {
  const Error wrong = invalid("SIGNATURE_INVALID",
                              "the signature by key " + to_hex(id_) + " does not fit the manifest");
  if (algorithm_ == SignatureAlgorithm::kEd25519) {
    const DigestContext context(EVP_MD_CTX_new());
    if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_->key) == 1 &&
        EVP_DigestVerify(context.get(), signature.data(), signature.size(), manifest.bytes.data(),
                         manifest.bytes.size()) == 1) {
      return {};
    }
    return failed(wrong.reason, wrong.message);
  }
  const EcdsaSignature parts(ECDSA_SIG_new());
  COVEY_ASSERT(ECDSA_SIG_set0(parts.get(), BN_bin2bn(signature.data(), 32, nullptr),
                              BN_bin2bn(signature.data() + 32, 32, nullptr)) == 1);
  uint8_t* der = nullptr;
  const int der_size = i2d_ECDSA_SIG(parts.get(), &der);
  const std::unique_ptr<uint8_t, decltype([](uint8_t* p) { OPENSSL_free(p); })> owned(der);
  const KeyContext context(EVP_PKEY_CTX_new(key_->key, nullptr));
  if (der_size > 0 && EVP_PKEY_verify_init(context.get()) == 1 &&
      EVP_PKEY_verify(context.get(), der, static_cast<size_t>(der_size), manifest.bytes.data(),
                      manifest.bytes.size()) == 1) {
    return {};
  }
  return failed(wrong.reason, wrong.message);
}

Result<PrivateKey> PrivateKey::from_openssl(std::shared_ptr<const detail::OpensslKey> key) {
  Result<SignatureAlgorithm> algorithm = algorithm_of(key->key);
  if (!algorithm) return algorithm.error();
  Result<Bytes> raw = raw_public(key->key, *algorithm);
  if (!raw) return raw.error();
  Result<PublicKey> public_key = PublicKey::from_raw(*algorithm, *raw);
  if (!public_key) return public_key.error();
  return PrivateKey(*std::move(public_key), std::move(key));
}

Result<PrivateKey> PrivateKey::adopt(EVP_PKEY* key) {
  Key owned = own(key);
  // Its public half by itself: a token's key answers fewer questions than one in memory.
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  const uint8_t* at = der;
  const Key half = own(size > 0 ? d2i_PUBKEY(nullptr, &at, size) : nullptr);
  OPENSSL_free(der);
  if (half == nullptr) return failed("BAD_KEY", "its public half can't be read");
  Result<PublicKey> public_key = PublicKey::from_openssl(half);
  if (!public_key) return public_key.error();
  return PrivateKey(*std::move(public_key), std::move(owned));
}

Result<PrivateKey> PrivateKey::generate(SignatureAlgorithm algorithm) {
  Key key = own(algorithm == SignatureAlgorithm::kEs256
                    ? EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")
                    : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) {
    ERR_clear_error();
    return Error{Code::kInternal, "KEY_GENERATION_FAILED", "OpenSSL could not make a key"};
  }
  return from_openssl(std::move(key));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return invalid("BAD_KEY", "a private key file has at most 16 KiB");
  const Bio bio = reader(pem);
  Key key = own(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr) {
    return failed("BAD_KEY",
                  "not an unencrypted private key in PEM (expected -----BEGIN PRIVATE KEY-----)");
  }
  return from_openssl(std::move(key));
}

std::string PrivateKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  COVEY_ASSERT(bio != nullptr && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_->key, nullptr,
                                                               nullptr, 0, nullptr, nullptr) == 1);
  return written(bio.get());
}

RawSignature PrivateKey::sign(const Digest& manifest) const {
  const Result<RawSignature> signature = try_sign(manifest);
  COVEY_ASSERT(signature.ok());
  return *signature;
}

Result<RawSignature> PrivateKey::try_sign(const Digest& manifest) const {
  RawSignature signature{};
  if (public_key_.algorithm() == SignatureAlgorithm::kEd25519) {
    const DigestContext context(EVP_MD_CTX_new());
    size_t size = signature.size();
    if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->key) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &size, manifest.bytes.data(),
                       manifest.bytes.size()) != 1 ||
        size != signature.size()) {
      return failed("SIGNING_FAILED", "the key does not sign");
    }
    return signature;
  }
  const KeyContext context(EVP_PKEY_CTX_new(key_->key, nullptr));
  std::array<uint8_t, 128> der{};
  size_t size = der.size();
  if (EVP_PKEY_sign_init(context.get()) != 1 ||
      EVP_PKEY_sign(context.get(), der.data(), &size, manifest.bytes.data(),
                    manifest.bytes.size()) != 1) {
    return failed("SIGNING_FAILED", "the key does not sign: is its token still there?");
  }
  // DER of a P-256 signature is never 64 bytes short of an astronomical accident; if it is, sign
  // again: ECDSA draws a new number each time.
  if (size == signature.size()) return try_sign(manifest);
  return parse_signature(SignatureAlgorithm::kEs256, ByteView(der).first(size));
}

Result<RawSignature> parse_signature(SignatureAlgorithm algorithm, ByteView raw_or_der) {
  RawSignature signature{};
  if (raw_or_der.size() == signature.size()) {
    std::copy(raw_or_der.begin(), raw_or_der.end(), signature.begin());
    return signature;
  }
  const Error wrong =
      algorithm == SignatureAlgorithm::kEs256
          ? invalid(
                "SIGNATURE_INVALID",
                fmt::format("not an ES256 signature: expected 64 raw bytes or DER, got {} bytes",
                            raw_or_der.size()))
          : invalid("SIGNATURE_INVALID",
                    fmt::format("not an Ed25519 signature: expected 64 raw bytes, got {} bytes",
                                raw_or_der.size()));
  if (algorithm == SignatureAlgorithm::kEd25519 || raw_or_der.size() > 128) return wrong;
  const uint8_t* at = raw_or_der.data();
  const EcdsaSignature parts(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(raw_or_der.size())));
  if (parts == nullptr || at != raw_or_der.data() + raw_or_der.size() ||
      BN_is_negative(ECDSA_SIG_get0_r(parts.get())) != 0 ||
      BN_is_negative(ECDSA_SIG_get0_s(parts.get())) != 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), signature.data(), 32) != 32 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), signature.data() + 32, 32) != 32) {
    return failed(wrong.reason, wrong.message);
  }
  return signature;
}

Result<Signature> try_sign(const PrivateKey& key, const Digest& manifest) {
  const Result<RawSignature> raw = key.try_sign(manifest);
  if (!raw) return raw.error();
  return Signature{static_cast<uint32_t>(key.public_key().algorithm()), key.public_key().id(),
                   *raw};
}

Signature sign(const PrivateKey& key, const Digest& manifest) {
  return {static_cast<uint32_t>(key.public_key().algorithm()), key.public_key().id(),
          key.sign(manifest)};
}

}  // namespace covey
