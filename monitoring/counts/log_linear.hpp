// SPDX-License-Identifier: Apache-2.0
// Buckets that are as wide as their values are large, by integer arithmetic only (the layout of
// HdrHistogram): values below 2^(shift + sub_bits) in steps of 2^shift, then 2^sub_bits buckets per
// octave. Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace covey::monitoring {

struct LogLinear {
  uint32_t shift = 0;     // at most 31
  uint32_t sub_bits = 0;  // at most 16

  constexpr uint32_t bucket(uint32_t value) const {
    const uint32_t x = value >> shift;
    if (x < 1U << sub_bits) return x;
    const auto e = static_cast<uint32_t>(std::bit_width(x)) - 1 - sub_bits;
    return (e << sub_bits) + (x >> e);
  }
  // Least value of a bucket; one that no 32-bit value has stands still.
  constexpr uint64_t lower(uint32_t index) const {
    if (index < 1U << sub_bits) return uint64_t{index} << shift;
    const uint32_t e = std::min((index >> sub_bits) - 1, 62 - shift - sub_bits);
    const uint64_t mantissa = (index & ((1U << sub_bits) - 1)) + (uint64_t{1} << sub_bits);
    return (mantissa << e) << shift;
  }
};

}  // namespace covey::monitoring
