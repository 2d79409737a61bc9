// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "monitoring/counts/log_linear.hpp"
#include "monitoring/counts/window.hpp"

namespace covey::monitoring {

namespace {

// docs/design/monitoring.md, "Latency buckets"
constexpr LogLinear kBuckets{.shift = 4, .sub_bits = 2};
constexpr uint32_t kLastBucket = 230;  // beyond what 64 bits hold of a bucket's end

}  // namespace

uint32_t latency_bucket(uint32_t latency_us) { return kBuckets.bucket(latency_us); }

LatencyBounds latency_bounds(uint32_t bucket) {
  const uint32_t known = std::min(bucket, kLastBucket);
  return {kBuckets.lower(known), kBuckets.lower(known + 1)};
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
