// SPDX-License-Identifier: Apache-2.0
// Root documents against any bytes, as gateway and command line read them: the input is a
// SignedRoot. What decodes encodes again to the same; nothing that nobody signed is opened.
#include <cstdint>

#include "core/assert.hpp"
#include "deploy/root/root.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const covey::ByteView bytes(data, size);
  const covey::Result<covey::SignedRoot> document = covey::decode_signed_root(bytes);
  if (!document) return 0;
  const covey::Result<covey::Bytes> envelope = encode(*document);
  COVEY_ASSERT(envelope.ok() && envelope->size() <= covey::kSignedRootBytesMax);
  COVEY_ASSERT(*covey::decode_signed_root(*envelope) == *document);
  const covey::Result<covey::Root> root = covey::decode_root(document->root);
  if (!root) return 0;
  COVEY_ASSERT(root->root_threshold >= 1 && root->root_threshold <= root->roots());
  COVEY_ASSERT(root->author_threshold >= 1 && root->author_threshold <= root->authors());
  const covey::Result<covey::Bytes> again = encode(*root);
  COVEY_ASSERT(again.ok() && again->size() <= covey::kRootBytesMax);
  COVEY_ASSERT(*encode(*covey::decode_root(*again)) == *again);
  const uint32_t signers = covey::count_root_signatures(*root, *document);
  COVEY_ASSERT(signers <= document->signatures.size() && signers <= root->roots());
  COVEY_ASSERT(covey::open_root(nullptr, *document).ok() == (signers >= root->root_threshold));
  COVEY_ASSERT(!covey::open_root(&*root, *document).ok());
  return 0;
}
