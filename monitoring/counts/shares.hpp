// SPDX-License-Identifier: Apache-2.0
// Shares of a baseline that can be divided by: Jeffreys-smoothed when a bin is empty, else exact.
#pragma once

#include <algorithm>
#include <vector>

#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {

inline std::vector<double> positive_shares(CountsView counts) {
  const bool empty_bin = std::find(counts.begin(), counts.end(), uint64_t{0}) != counts.end();
  const double prior = empty_bin ? 0.5 : 0.0;
  const double n = static_cast<double>(total(counts)) + prior * static_cast<double>(counts.size());
  std::vector<double> shares;
  shares.reserve(counts.size());
  for (const uint64_t count : counts) shares.push_back((static_cast<double>(count) + prior) / n);
  return shares;
}

}  // namespace covey::monitoring
