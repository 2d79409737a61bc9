// SPDX-License-Identifier: Apache-2.0
// Keys and signatures from outside: PEM, raw keys, DER. Nothing leaks, nothing crashes, and what is
// read writes back to the same key.
#include <cstdint>
#include <string_view>

#include "core/assert.hpp"
#include "deploy/signing/keys.hpp"

using covey::SignatureAlgorithm;

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const covey::ByteView bytes(data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = covey::PublicKey::from_pem(text)) {
    COVEY_ASSERT(covey::PublicKey::from_pem(key->to_pem())->id() == key->id());
  }
  if (const auto key = covey::PrivateKey::from_pem(text)) {
    COVEY_ASSERT(covey::PrivateKey::from_pem(key->to_pem())->public_key().id() ==
                 key->public_key().id());
  }
  for (const auto algorithm : {SignatureAlgorithm::kEs256, SignatureAlgorithm::kEd25519}) {
    if (const auto key = covey::PublicKey::from_raw(algorithm, bytes)) {
      COVEY_ASSERT(key->raw() == covey::Bytes(bytes.begin(), bytes.end()));
      COVEY_ASSERT(!key->verify(covey::Digest{}, covey::RawSignature{}) ||
                   algorithm == SignatureAlgorithm::kEd25519);
    }
    (void)covey::parse_signature(algorithm, bytes);
  }
  return 0;
}
