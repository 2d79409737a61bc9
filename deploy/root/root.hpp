// SPDX-License-Identifier: Apache-2.0
// The root document: who may sign releases (authors) and who may change that (the root), each with
// a threshold of distinct keys. As domain types and as the exact bytes of covey.device.v1.Root and
// SignedRoot; encode() is deterministic. Version N + 1 counts when thresholds of both N and N + 1
// have signed it (The Update Framework, section 5.3, without its end of time: devices sleep for
// months). Pure; any thread.
// Errors: ROOT_MALFORMED (the message names the field), BAD_KEY, ROOT_NOT_SIGNED, ROOT_STALE,
// ROOT_SKIPS, SIGNATURE_INVALID.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "deploy/signing/keys.hpp"

namespace covey {

// The same numbers as in device_agent/include/covey/limits.h.
inline constexpr size_t kRootBytesMax = 600;
inline constexpr size_t kRootKeysMax = 8;
inline constexpr size_t kRootSignaturesMax = 5;
inline constexpr size_t kSignedRootBytesMax = 1024;
inline constexpr uint32_t kAuthorThresholdMax = 4;  // signatures of a manifest

struct RootKey {
  PublicKey key;
  bool root = false;
  bool author = false;
};

struct Root {
  static constexpr uint32_t kFormat = 1;

  uint32_t version = 0;
  uint32_t root_threshold = 0;
  uint32_t author_threshold = 0;
  std::vector<RootKey> keys;

  uint32_t roots() const;    // how many keys have the role
  uint32_t authors() const;  // the same
  const RootKey* find(const KeyId& id) const;
};

// Whether the rules hold that devices rely on, too: thresholds from 1 to the number of keys.
Status validate(const Root& root);
Result<Bytes> encode(const Root& root);
Result<Root> decode_root(ByteView bytes);

// The exact signed bytes travel with their signatures.
struct SignedRoot {
  Bytes root;
  std::vector<Signature> signatures;

  bool operator==(const SignedRoot&) const = default;
};
Result<Bytes> encode(const SignedRoot& root);
Result<SignedRoot> decode_signed_root(ByteView bytes);

// What is signed: "covey root", a NUL, the document. No manifest begins like that, so that no
// signature of one is one of the other.
Bytes signed_content(ByteView root);
Digest signed_digest(ByteView root);

// Distinct keys of the role with a good signature. A signature that does not fit counts for
// nothing.
uint32_t count_root_signatures(const Root& by, const SignedRoot& document);

// The document is well formed, follows `current` (none: it may have any version) and has the
// signatures that it needs.
Result<Root> open_root(const Root* current, const SignedRoot& next);

// Who may sign releases, and how many of them it takes.
TrustStore authors_of(const Root& root);

}  // namespace covey
