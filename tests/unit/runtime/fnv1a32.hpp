// SPDX-License-Identifier: Apache-2.0
// FNV-1a, 32 bits: how golden vectors name bytes.
#pragma once

#include <cstdint>

namespace covey::testing {

template <typename Range>
uint32_t fnv1a32(const Range& bytes) {
  uint32_t hash = 2166136261U;
  for (const auto byte : bytes) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 16777619U;
  }
  return hash;
}

}  // namespace covey::testing
