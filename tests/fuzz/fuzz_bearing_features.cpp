// SPDX-License-Identifier: Apache-2.0
// The bearing example's preprocessing blob from any bytes, then the integer features from any
// samples: no overflow, no overrun, the same result twice, and a refused blob changes nothing.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "examples/bearing_vibration/signal/features.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const size_t blob_size = size < COVEY_BEARING_PARAMS_SIZE ? size : COVEY_BEARING_PARAMS_SIZE;
  covey_bearing_params_t params;
  std::memset(&params, 0x5a, sizeof params);
  const covey_bearing_params_t before = params;
  const bool accepted = covey_bearing_params_parse(data, blob_size, &params) == COVEY_BEARING_OK;
  if (!accepted && std::memcmp(&before, &params, sizeof params) != 0) abort();
  if (!accepted) {
    for (auto& scaling : params.feature) scaling = {0, 1, 1};
  }

  std::vector<int16_t> samples((size - blob_size) / 2);
  if (!samples.empty()) std::memcpy(samples.data(), data + blob_size, samples.size() * 2);
  int8_t once[COVEY_BEARING_FEATURES] = {};
  int8_t twice[COVEY_BEARING_FEATURES] = {};
  const auto status = covey_bearing_features(samples.data(), samples.size(), &params, once);
  if (status != covey_bearing_features(samples.data(), samples.size(), &params, twice)) abort();
  if (std::memcmp(once, twice, sizeof once) != 0) abort();
  return 0;
}
