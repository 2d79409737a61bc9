// SPDX-License-Identifier: Apache-2.0
#include "monitoring/counts/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace covey::monitoring {
namespace {

using Wide = unsigned __int128;

void merge(FeatureCounts& target, const FeatureCounts& from) {
  add(target.bins, from.bins);
  target.missing = add_saturating(target.missing, from.missing);
  target.below = add_saturating(target.below, from.below);
  target.above = add_saturating(target.above, from.above);
  target.min = std::min(target.min, from.min);
  target.max = std::max(target.max, from.max);
  // Wraps rather than saturates: signed saturation would depend on the order.
  target.sum =
      static_cast<int64_t>(static_cast<uint64_t>(target.sum) + static_cast<uint64_t>(from.sum));
  target.sum_squares = add_saturating(target.sum_squares, from.sum_squares);
}

Error shape_error(const std::string& field, size_t found, size_t expected) {
  return invalid("WINDOW_SHAPE",
                 field + fmt::format(" has {} entries, the artifact's telemetry "
                                     "tables say {}: was the report made for another "
                                     "artifact?",
                                     found, expected));
}

Error contradiction(const std::string& text) {
  return invalid("WINDOW_CONTRADICTION", text + "; the report is quarantined, not merged");
}

Status check_sum(const std::string& field, CountsView counts, uint64_t inferences) {
  const uint64_t sum = total(counts);
  if (sum == inferences) return {};
  return contradiction(
      field + fmt::format(" sums to {} but the window has {} inferences", sum, inferences));
}

Status check_moments(const std::string& field, const FeatureCounts& feature, uint64_t values) {
  if (values == 0) {
    if (feature.min <= feature.max || feature.sum != 0 || feature.sum_squares != 0) {
      return contradiction(field + " has min, max or sums without a value");
    }
    return {};
  }
  if (feature.min > feature.max || feature.min < kFeatureValueMin ||
      feature.max > kFeatureValueMax) {
    return contradiction(field + fmt::format(" has values in [{}, {}], outside int16 or reversed",
                                             feature.min, feature.max));
  }
  // values <= 2^32 and |v| <= 2^15: these products fit 64 bits.
  const auto n = static_cast<int64_t>(values);
  if (feature.sum < n * feature.min || feature.sum > n * feature.max) {
    return contradiction(field + ".sum is impossible for its min, max and number of values");
  }
  const int64_t largest = std::max(std::abs(static_cast<int64_t>(feature.min)),
                                   std::abs(static_cast<int64_t>(feature.max)));
  const uint64_t squares_max = values * static_cast<uint64_t>(largest * largest);
  const auto magnitude = static_cast<uint64_t>(std::abs(feature.sum));
  // Cauchy-Schwarz: sum^2 <= n sum_squares.
  if (feature.sum_squares > squares_max ||
      static_cast<Wide>(magnitude) * magnitude > static_cast<Wide>(values) * feature.sum_squares) {
    return contradiction(field + ".sum_squares is impossible for its other numbers");
  }
  return {};
}

Status check_feature(const std::string& field, const FeatureCounts& feature, uint64_t inferences) {
  const uint64_t values = total(feature.bins);
  const uint64_t seen = add_saturating(values, feature.missing);
  if (seen != inferences) {
    return contradiction(field + fmt::format(": bins and missing sum to {} but the window has {} "
                                             "inferences",
                                             seen, inferences));
  }
  if (add_saturating(feature.below, feature.above) > values) {
    return contradiction(field + ": more values out of the training range than values");
  }
  return check_moments(field, feature, values);
}

// The maximum lies in the highest bucket that counts something, the sum between the bounds of all.
Status check_latency_buckets(const WindowCounts& window) {
  const size_t buckets = window.latency.size();
  Wide least = 0;
  Wide most = 0;
  LatencyBounds highest;
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    if (window.latency[bucket] == 0) continue;
    highest = latency_bounds(static_cast<uint32_t>(bucket));
    // A device's last one holds all that is beyond; zeros at the end are not reported.
    if (bucket + 1 == buckets && buckets >= kLatencyBucketsMin) {
      highest.upper_us = uint64_t{window.latency_max_us} + 1;
    }
    least += static_cast<Wide>(window.latency[bucket]) * highest.lower_us;
    most += static_cast<Wide>(window.latency[bucket]) *
            std::min<uint64_t>(highest.upper_us - 1, window.latency_max_us);
  }
  if (window.inferences == 0) return {};
  if (window.latency_max_us < highest.lower_us || window.latency_max_us >= highest.upper_us) {
    return contradiction(
        fmt::format("latency_max_us is {}, but the highest bucket that counts holds {} to {}",
                    window.latency_max_us, highest.lower_us, highest.upper_us - 1));
  }
  if (window.latency_sum_us < least || window.latency_sum_us > most) {
    return contradiction("latency_sum_us is impossible for the buckets of latency");
  }
  return {};
}

Status check_latency(const WindowCounts& window) {
  if (window.latency.size() > kLatencyBucketsMax) {
    return shape_error("latency", window.latency.size(), kLatencyBucketsMax);
  }
  if (window.latency.empty()) {
    if (window.latency_max_us == 0 && window.latency_sum_us == 0) return {};
    return contradiction("latency has a maximum or a sum but no histogram");
  }
  if (Status sum = check_sum("latency", window.latency, window.inferences); !sum) return sum;
  if (window.latency_sum_us > window.inferences * window.latency_max_us ||
      window.latency_sum_us < window.latency_max_us) {
    return contradiction("latency_sum_us is impossible for latency_max_us and the inferences");
  }
  return check_latency_buckets(window);
}

Status check_joint(const WindowCounts& window, const Shape& shape) {
  if (window.joint.empty()) return {};
  if (window.joint.size() != shape.joint) {
    return shape_error("joint", window.joint.size(), shape.joint);
  }
  if (total(window.joint) <= window.inferences) return {};
  return contradiction("joint has more inferences than the window");
}

Status check_energy(const WindowCounts& window) {
  if (window.energy.size() > kEnergyBucketsMax) {
    return shape_error("energy", window.energy.size(), kEnergyBucketsMax);
  }
  const uint64_t measured = total(window.energy);
  if (measured > window.inferences) {
    return contradiction("energy has more inferences than the window");
  }
  // measured <= 2^32, and a device measures in 32 bits: the products fit.
  uint64_t least = 0;
  for (size_t bucket = 0; bucket < window.energy.size(); ++bucket) {
    least += window.energy[bucket] * energy_lower_uj(bucket);
  }
  if (window.energy_sum_uj < least || window.energy_sum_uj > measured * 0xffff'ffffU) {
    return contradiction("energy_sum_uj is impossible for the buckets");
  }
  return {};
}

// Of those that say something: 0 doesn't.
uint64_t least_told(uint64_t a, uint64_t b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

}  // namespace

uint64_t energy_lower_uj(size_t bucket) {
  return bucket == 0 ? 0 : uint64_t{16} << (2 * (bucket - 1));
}

void merge(Health& target, const Health& from) {
  target.rejects = add_saturating(target.rejects, from.rejects);
  target.drops = add_saturating(target.drops, from.drops);
  target.saturated = add_saturating(target.saturated, from.saturated);
  target.watchdog_resets = add_saturating(target.watchdog_resets, from.watchdog_resets);
  target.heap_free_min_bytes = least_told(target.heap_free_min_bytes, from.heap_free_min_bytes);
  target.arena_used_max_bytes = std::max(target.arena_used_max_bytes, from.arena_used_max_bytes);
  target.stack_used_max_bytes = std::max(target.stack_used_max_bytes, from.stack_used_max_bytes);
}

void merge(WindowCounts& target, const WindowCounts& from) {
  target.inferences = add_saturating(target.inferences, from.inferences);
  if (target.features.size() < from.features.size()) target.features.resize(from.features.size());
  for (size_t i = 0; i < from.features.size(); ++i) merge(target.features[i], from.features[i]);
  add(target.classes, from.classes);
  add(target.confidence, from.confidence);
  add(target.latency, from.latency);
  target.latency_max_us = std::max(target.latency_max_us, from.latency_max_us);
  target.latency_sum_us = add_saturating(target.latency_sum_us, from.latency_sum_us);
  target.errors = add_saturating(target.errors, from.errors);
  add(target.joint, from.joint);
  add(target.energy, from.energy);
  target.energy_sum_uj = add_saturating(target.energy_sum_uj, from.energy_sum_uj);
  merge(target.health, from.health);
}

Status check(const WindowCounts& window, const Shape& shape) {
  if (window.inferences > kInferencesMax) {
    return contradiction("inferences is more than a device's 32-bit cells can hold");
  }
  if (window.features.size() != shape.bins.size()) {
    return shape_error("features", window.features.size(), shape.bins.size());
  }
  for (size_t i = 0; i < window.features.size(); ++i) {
    const std::string field = fmt::format("features[{}]", i);
    const FeatureCounts& feature = window.features[i];
    if (feature.bins.size() != shape.bins[i]) {
      return shape_error(field + ".bins", feature.bins.size(), shape.bins[i]);
    }
    if (Status ok = check_feature(field, feature, window.inferences); !ok) return ok;
  }
  if (window.classes.size() != shape.classes) {
    return shape_error("classes", window.classes.size(), shape.classes);
  }
  const size_t confidence = shape.classes == 0 ? 0 : kConfidenceBins;
  if (window.confidence.size() != confidence) {
    return shape_error("confidence", window.confidence.size(), confidence);
  }
  if (shape.classes != 0) {
    if (Status ok = check_sum("classes", window.classes, window.inferences); !ok) return ok;
    if (Status ok = check_sum("confidence", window.confidence, window.inferences); !ok) return ok;
  }
  if (Status ok = check_joint(window, shape); !ok) return ok;
  if (Status ok = check_energy(window); !ok) return ok;
  return check_latency(window);
}

}  // namespace covey::monitoring
