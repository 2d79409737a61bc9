// SPDX-License-Identifier: Apache-2.0
// Author keys: generation, PEM, signing and verification of manifest digests
// (docs/design/trust.md, "Signatures").
//   ES256    ECDSA P-256 over SHA-256(manifest), r | s, 64 bytes (RFC 7518)
//   ED25519  RFC 8032 over the 32 bytes of SHA-256(manifest), 64 bytes
// Keys are immutable values that share their OpenSSL object; any thread. No I/O: key_file.hpp.
// Errors: BAD_KEY, ALGORITHM_UNSUPPORTED, SIGNATURE_INVALID, KEY_UNKNOWN.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace covey {

// The numbers travel on the wire (covey.device.v1.SignatureAlgorithm).
enum class SignatureAlgorithm : uint8_t { kEs256 = 1, kEd25519 = 2 };

std::string_view to_string(SignatureAlgorithm algorithm);  // "ES256", "ED25519"
Result<SignatureAlgorithm> parse_signature_algorithm(std::string_view text);
std::optional<SignatureAlgorithm> signature_algorithm_from_wire(uint32_t number);
// What DeviceFacts.algorithms has at this algorithm: bit number = wire number.
constexpr uint32_t algorithm_bit(SignatureAlgorithm algorithm) {
  return 1U << static_cast<uint32_t>(algorithm);
}

// First 8 bytes of SHA-256(public key: 65-byte uncompressed point, or 32 bytes Ed25519).
using KeyId = std::array<uint8_t, 8>;
using RawSignature = std::array<uint8_t, 64>;

namespace detail {
struct OpensslKey;  // owns an EVP_PKEY
}

class PublicKey {
 public:
  // SPKI ("BEGIN PUBLIC KEY"). Errors: BAD_KEY, ALGORITHM_UNSUPPORTED (RSA, other curves).
  static Result<PublicKey> from_pem(std::string_view pem);
  // 65-byte uncompressed point or 32 bytes.
  static Result<PublicKey> from_raw(SignatureAlgorithm algorithm, ByteView raw);

  SignatureAlgorithm algorithm() const { return algorithm_; }
  const Bytes& raw() const { return raw_; }
  const KeyId& id() const { return id_; }
  std::string to_pem() const;
  // Errors: SIGNATURE_INVALID.
  Status verify(const Digest& manifest, const RawSignature& signature) const;

 private:
  friend class PrivateKey;
  PublicKey() = default;
  static Result<PublicKey> from_openssl(std::shared_ptr<const detail::OpensslKey> key);

  SignatureAlgorithm algorithm_ = SignatureAlgorithm::kEs256;
  Bytes raw_;
  KeyId id_{};
  std::shared_ptr<const detail::OpensslKey> key_;
};

class PrivateKey {
 public:
  static Result<PrivateKey> generate(SignatureAlgorithm algorithm);
  // PKCS#8 ("BEGIN PRIVATE KEY") or SEC1 ("BEGIN EC PRIVATE KEY"), unencrypted.
  static Result<PrivateKey> from_pem(std::string_view pem);
  // OpenSSL's, which may be in a token that never tells it; takes it over.
  static Result<PrivateKey> adopt(evp_pkey_st* key);

  const PublicKey& public_key() const { return public_key_; }
  std::string to_pem() const;  // PKCS#8; write it with key_file.hpp
  // Of a key in memory, which can't fail.
  RawSignature sign(const Digest& manifest) const;
  // Errors: SIGNING_FAILED: the token is gone, or refuses.
  Result<RawSignature> try_sign(const Digest& manifest) const;

 private:
  PrivateKey(PublicKey public_key, std::shared_ptr<const detail::OpensslKey> key)
      : public_key_(std::move(public_key)), key_(std::move(key)) {}
  static Result<PrivateKey> from_openssl(std::shared_ptr<const detail::OpensslKey> key);

  PublicKey public_key_;  // holds no private part
  std::shared_ptr<const detail::OpensslKey> key_;
};

// A signature made elsewhere (openssl dgst -sha256 -sign, an HSM): raw 64 bytes, or DER for ES256.
// Errors: SIGNATURE_INVALID when it is neither.
Result<RawSignature> parse_signature(SignatureAlgorithm algorithm, ByteView raw_or_der);

// One detached signature of a manifest; `algorithm` stays a wire number, newer ones are kept.
struct Signature {
  uint32_t algorithm = 0;
  KeyId key_id{};
  RawSignature bytes{};

  bool operator==(const Signature&) const = default;
};
Signature sign(const PrivateKey& key, const Digest& manifest);
// Errors: those of PrivateKey::try_sign().
Result<Signature> try_sign(const PrivateKey& key, const Digest& manifest);

// The public keys of authors that a site trusts.
class TrustStore {
 public:
  static constexpr size_t kKeysMax = 64;

  TrustStore() = default;
  // So many distinct keys must have signed.
  explicit TrustStore(uint32_t threshold) : threshold_(threshold) {}

  // Adding a key again changes nothing. Errors: TRUST_STORE_FULL.
  Status add(PublicKey key);
  bool remove(const KeyId& id);
  const PublicKey* find(SignatureAlgorithm algorithm, const KeyId& id) const;
  const std::vector<PublicKey>& keys() const { return keys_; }
  uint32_t threshold() const { return threshold_; }

  // Good signatures by as many trusted keys as it takes, one if nothing else was said; the first
  // key. Without them, in this order: SIGNATURE_INVALID (a trusted key's signature is wrong),
  // SIGNATURES_TOO_FEW, KEY_UNKNOWN, ALGORITHM_UNSUPPORTED.
  Result<KeyId> verify(const Digest& manifest, std::span<const Signature> signatures) const;

 private:
  std::vector<PublicKey> keys_;
  uint32_t threshold_ = 1;
};

}  // namespace covey
