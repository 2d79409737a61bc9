// SPDX-License-Identifier: Apache-2.0
// The binary parts of an artifact against any bytes: manifest, signed manifest, telemetry tables,
// self-test vectors. What decodes must encode again to something that decodes to the same.
#include <cstdint>

#include "core/assert.hpp"
#include "deploy/artifact/manifest.hpp"
#include "deploy/artifact/selftest.hpp"
#include "deploy/artifact/telemetry_tables.hpp"

namespace {

template <typename Decode>
void check(covey::ByteView bytes, Decode decode) {
  const auto first = decode(bytes);
  if (!first) {
    COVEY_ASSERT(!first.error().reason.empty() && !first.error().message.empty());
    return;
  }
  const covey::Result<covey::Bytes> encoded = encode(*first);
  COVEY_ASSERT(encoded.ok());
  const auto second = decode(*encoded);
  COVEY_ASSERT(second.ok() && *second == *first && *encode(*second) == *encoded);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const covey::ByteView bytes(data, size);
  check(bytes, covey::decode_manifest);
  check(bytes, covey::decode_signed_manifest);
  check(bytes, covey::decode_tables);
  check(bytes, covey::decode_selftest);
  return 0;
}
