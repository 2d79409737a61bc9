// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "monitoring/counts/window.hpp"

namespace covey::monitoring {

uint32_t latency_bucket(uint32_t latency_us) {
  const uint32_t x = latency_us >> 4;
  if (x < 4) return x;
  const auto e = static_cast<uint32_t>(std::bit_width(x)) - 3;  // floor(log2 x) - 2
  return 4 * (e + 1) + (x >> e) - 4;
}

LatencyBounds latency_bounds(uint32_t bucket) {
  if (bucket < 4) return {uint64_t{bucket} << 4, uint64_t{bucket + 1} << 4};
  const uint32_t e = std::min(bucket / 4 - 1, uint32_t{56});
  const uint64_t mantissa = bucket % 4 + 4;
  return {(mantissa << e) << 4, ((mantissa + 1) << e) << 4};
}

std::optional<LatencyQuantile> latency_quantile(CountsView latency, Ratio q, uint32_t max_us) {
  const uint64_t n = total(latency);
  if (n == 0) return std::nullopt;
  const uint64_t rank =
      std::clamp<uint64_t>(ceil_share(n, std::clamp(q, Ratio{0}, Ratio::percent(100))), 1, n);
  uint64_t below = 0;
  size_t bucket = 0;
  while (add_saturating(below, latency[bucket]) < rank) {
    below = add_saturating(below, latency[bucket]);
    ++bucket;
  }
  LatencyBounds bounds = latency_bounds(static_cast<uint32_t>(bucket));
  // Nothing is above the maximum, and a last bucket holds everything up to it.
  const bool last = bucket + 1 == latency.size();
  const uint64_t reached = uint64_t{max_us} + 1;
  if (last || reached < bounds.upper_us) bounds.upper_us = std::max(reached, bounds.lower_us + 1);
  const double share = static_cast<double>(rank - below) / static_cast<double>(latency[bucket]);
  const double width = static_cast<double>(bounds.upper_us - bounds.lower_us);
  return LatencyQuantile{static_cast<double>(bounds.lower_us) + share * width, bounds};
}

}  // namespace covey::monitoring
