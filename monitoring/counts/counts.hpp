// SPDX-License-Identifier: Apache-2.0
// What every part of monitoring shares: a histogram as integer counts, and exact sums over it.
// Thread safety: values only. Sums saturate instead of wrapping, so that hostile counts stay
// ordered.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace covey::monitoring {

using Counts = std::vector<uint64_t>;
using CountsView = std::span<const uint64_t>;

inline uint64_t add_saturating(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

inline uint64_t total(CountsView counts) {
  uint64_t sum = 0;
  for (const uint64_t count : counts) sum = add_saturating(sum, count);
  return sum;
}

// target += from, cell by cell; the longer of both decides the length.
inline void add(Counts& target, CountsView from) {
  if (target.size() < from.size()) target.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) target[i] = add_saturating(target[i], from[i]);
}

}  // namespace covey::monitoring
