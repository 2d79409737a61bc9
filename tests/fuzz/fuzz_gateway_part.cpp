// SPDX-License-Identifier: Apache-2.0
// JSON from outside: the gateway part and a training pipeline's statistics.
#include <cstdint>

#include "core/assert.hpp"
#include "deploy/artifact/gateway_part.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const covey::ByteView bytes(data, size);
  const covey::Result<covey::GatewayPart> part = covey::decode_gateway_part(bytes);
  if (part) {
    const covey::Result<covey::Bytes> canonical = encode(*part);
    if (canonical) {  // a validation text may grow beyond the limit when it is written canonically
      const covey::Result<covey::GatewayPart> again = covey::decode_gateway_part(*canonical);
      COVEY_ASSERT(again.ok() && *again == *part && *encode(*again) == *canonical);
    }
  }
  const covey::Result<covey::TrainingStatistics> statistics =
      covey::decode_training_statistics(bytes);
  if (statistics) {
    COVEY_ASSERT(covey::decode_gateway_part(*encode(statistics->part)).ok());
    COVEY_ASSERT(encode(statistics->selftest).ok());
  }
  return 0;
}
