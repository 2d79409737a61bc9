// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "deploy/signing/keys.hpp"

namespace covey {

Status TrustStore::add(PublicKey key) {
  if (find(key.algorithm(), key.id()) != nullptr) return {};
  if (keys_.size() >= kKeysMax) {
    return Error{Code::kResourceExhausted, "TRUST_STORE_FULL",
                 "at most " + std::to_string(kKeysMax) + " author keys: remove one first"};
  }
  keys_.push_back(std::move(key));
  return {};
}

bool TrustStore::remove(const KeyId& id) {
  return std::erase_if(keys_, [&](const PublicKey& key) { return key.id() == id; }) > 0;
}

const PublicKey* TrustStore::find(SignatureAlgorithm algorithm, const KeyId& id) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const PublicKey& key) {
    return key.algorithm() == algorithm && key.id() == id;
  });
  return found == keys_.end() ? nullptr : &*found;
}

Result<KeyId> TrustStore::verify(const Digest& manifest,
                                 std::span<const Signature> signatures) const {
  std::vector<KeyId> good;  // distinct
  const Signature* wrong = nullptr;
  const Signature* unknown = nullptr;
  for (const Signature& signature : signatures) {
    const auto algorithm = signature_algorithm_from_wire(signature.algorithm);
    if (!algorithm) continue;
    const PublicKey* key = find(*algorithm, signature.key_id);
    if (key == nullptr) {
      unknown = &signature;
    } else if (key->verify(manifest, signature.bytes)) {
      if (std::find(good.begin(), good.end(), key->id()) == good.end()) good.push_back(key->id());
      if (good.size() >= threshold_) return good.front();
    } else {
      wrong = &signature;
    }
  }
  if (wrong != nullptr) {
    return invalid("SIGNATURE_INVALID", "the signature by key " + to_hex(wrong->key_id) +
                                            " does not fit the manifest: it was changed after it "
                                            "was signed, or the signature is of another one");
  }
  if (!good.empty()) {
    return invalid("SIGNATURES_TOO_FEW",
                   fmt::format("{} of the {} signatures by authors that the root document asks "
                               "for: let another author sign it",
                               good.size(), threshold_));
  }
  if (unknown != nullptr) {
    return invalid("KEY_UNKNOWN", "no signature by a trusted key; key " + to_hex(unknown->key_id) +
                                      " is not trusted here: add its public key, or sign with a "
                                      "trusted one");
  }
  if (signatures.empty()) {
    return invalid("SIGNATURE_INVALID", "the manifest carries no signature: sign it first");
  }
  return invalid("ALGORITHM_UNSUPPORTED",
                 "no signature of an algorithm that is known here (ES256, ED25519)");
}

}  // namespace covey
