// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/agent/artifacts.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "tests/unit/agent/fake_runtime.hpp"

namespace covey::agent_test {
namespace {

const uint8_t* octets(const Bytes& bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

void pad16(Bytes& bytes) { bytes.resize((bytes.size() + 15) / 16 * 16, '\0'); }

Bytes public_octets(EVP_PKEY* key, wire::SignatureAlgorithm algorithm) {
  Bytes raw(algorithm == wire::SIGNATURE_ALGORITHM_ES256 ? 65 : 32, '\0');
  size_t size = raw.size();
  uint8_t* into = reinterpret_cast<uint8_t*>(raw.data());
  const int done = algorithm == wire::SIGNATURE_ALGORITHM_ES256
                       ? EVP_PKEY_get_octet_string_param(key, "pub", into, size, &size)
                       : EVP_PKEY_get_raw_public_key(key, into, &size);
  if (done != 1 || size != raw.size()) std::abort();
  return raw;
}

Bytes raw_of_der(const uint8_t* der, size_t size) {
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size));
  if (signature == nullptr) std::abort();
  Bytes raw(64, '\0');
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), reinterpret_cast<uint8_t*>(raw.data()), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), reinterpret_cast<uint8_t*>(raw.data()) + 32, 32);
  ECDSA_SIG_free(signature);
  return raw;
}

}  // namespace

Bytes sha256(const Bytes& bytes) {
  Bytes digest(32, '\0');
  SHA256(octets(bytes), bytes.size(), reinterpret_cast<uint8_t*>(digest.data()));
  return digest;
}

Bytes hmac(const Bytes& key, const Bytes& text) {
  Bytes mac(32, '\0');
  unsigned size = 32;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), octets(text), text.size(),
       reinterpret_cast<uint8_t*>(mac.data()), &size);
  return mac;
}

std::string hex(const Bytes& bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<uint8_t>(byte) >> 4U];
    text += kDigits[static_cast<uint8_t>(byte) & 15U];
  }
  return text;
}

struct AuthorKey::Key {
  EVP_PKEY* pkey = nullptr;
};

AuthorKey::AuthorKey(wire::SignatureAlgorithm algorithm)
    : algorithm_(algorithm), key_(std::make_unique<Key>()) {
  key_->pkey = algorithm == wire::SIGNATURE_ALGORITHM_ES256
                   ? EVP_EC_gen("P-256")
                   : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (key_->pkey == nullptr) std::abort();
  raw_ = public_octets(key_->pkey, algorithm);
}

AuthorKey::~AuthorKey() { EVP_PKEY_free(key_->pkey); }

covey_public_key_t AuthorKey::anchor() const {
  return covey_openssl_public_key(static_cast<uint32_t>(algorithm_), octets(raw_), raw_.size());
}

wire::Signature AuthorKey::sign(const Bytes& manifest) const {
  const Bytes digest = sha256(manifest);
  uint8_t bytes[128];
  size_t size = sizeof bytes;
  if (algorithm_ == wire::SIGNATURE_ALGORITHM_ES256) {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key_->pkey, nullptr);
    if (EVP_PKEY_sign_init(context) != 1 ||
        EVP_PKEY_sign(context, bytes, &size, octets(digest), digest.size()) != 1) {
      std::abort();
    }
    EVP_PKEY_CTX_free(context);
  } else {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_->pkey) != 1 ||
        EVP_DigestSign(context, bytes, &size, octets(digest), digest.size()) != 1) {
      std::abort();
    }
    EVP_MD_CTX_free(context);
  }
  wire::Signature signature;
  signature.set_algorithm(static_cast<uint32_t>(algorithm_));
  signature.set_key_id(sha256(raw_).substr(0, 8));
  signature.set_signature(algorithm_ == wire::SIGNATURE_ALGORITHM_ES256
                              ? raw_of_der(bytes, size)
                              : Bytes(reinterpret_cast<const char*>(bytes), size));
  return signature;
}

const AuthorKey& author() {
  static const AuthorKey key(wire::SIGNATURE_ALGORITHM_ES256);
  return key;
}

Bytes Release::chunk(uint32_t index) const {
  return image.substr(size_t{index} * manifest.chunk_size_bytes(), manifest.chunk_size_bytes());
}

void seal(Release& release, const AuthorKey& key) {
  wire::SignedManifest message;
  message.set_manifest(release.manifest.SerializeAsString());
  *message.add_signatures() = key.sign(message.manifest());
  release.digest = sha256(message.manifest());
  release.message = message.SerializeAsString();
}

Release make_release(const ReleaseOptions& options) {
  Release release;
  const Bytes model = fake_model(options);
  const Bytes preprocessing(options.preprocessing_bytes, 'p');
  const Bytes selftest = fake_selftest(options);
  for (const Bytes& section : {model, preprocessing, selftest}) {
    release.image += section;
    pad16(release.image);
  }
  for (size_t at = 0; at < release.image.size(); at += options.chunk_bytes) {
    release.table += sha256(release.image.substr(at, options.chunk_bytes)).substr(0, 16);
  }
  wire::TelemetryTables tables;
  for (int i = 0; i < options.features; ++i) {
    wire::FeatureTable* feature = tables.add_features();
    feature->set_name("feature" + std::to_string(i));
    for (const int edge : {-50, 0, 50}) feature->add_edges(edge);
    feature->set_training_min(-100);
    feature->set_training_max(100);
  }
  if (options.features > 0) {
    tables.set_classes(kOutputBytes);
    for (int i = 0; i < 16; ++i) tables.add_sample_probability(options.sample_probability);
  }
  for (const auto& [feature, threshold, above] : options.joint) {
    wire::QuantTreeNode* node = tables.add_joint();
    node->set_feature(feature);
    node->set_threshold(threshold);
    node->set_above(above);
  }
  release.tables = tables.SerializeAsString();

  wire::Manifest& m = release.manifest;
  m.set_format(1);
  m.set_model(options.model);
  m.set_version(options.version);
  m.set_artifact_digest(sha256(release.image));
  m.set_image_size_bytes(static_cast<uint32_t>(release.image.size()));
  m.set_chunk_size_bytes(options.chunk_bytes);
  m.set_chunk_table_digest(sha256(release.table));
  m.add_device_classes("another-class");
  m.add_device_classes(options.device_class);
  m.set_runtime(wire::RUNTIME_NATIVE);
  m.set_operator_set(0x1122334455667788U);
  m.set_arena_bytes(options.arena_bytes);
  m.set_input_bytes(kInputBytes);
  m.set_output_bytes(kOutputBytes);
  m.set_model_size_bytes(static_cast<uint32_t>(model.size()));
  m.set_preprocessing_size_bytes(options.preprocessing_bytes);
  m.set_selftest_size_bytes(static_cast<uint32_t>(selftest.size()));
  m.set_preprocessing_digest(sha256(preprocessing));
  m.set_selftest_digest(sha256(selftest));
  m.set_tables_digest(sha256(release.tables));
  m.set_gateway_part_digest(sha256("gateway part"));
  m.set_security_version(options.security_version);
  m.set_preprocessing_id(7);
  seal(release, options.key != nullptr ? *options.key : author());
  return release;
}

}  // namespace covey::agent_test
