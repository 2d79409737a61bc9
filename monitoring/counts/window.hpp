// SPDX-License-Identifier: Apache-2.0
// One window of inference statistics as integer counts, and their exact merge
// (docs/design/monitoring.md, "Merging"). Merging is addition, min and max: associative and
// commutative, so any order of the same windows gives the same bytes. Never merge one window twice:
// see monitoring/counts/stream.hpp. Thread safety: values. Units: latency in microseconds, features
// in the quantised domain of the model (int8 or int16 after preprocessing).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/digest.hpp"
#include "core/ratio.hpp"
#include "core/result.hpp"
#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {

constexpr size_t kFeaturesMax = 16;
constexpr size_t kBinsMax = 64;
constexpr size_t kClassesMax = 64;
constexpr size_t kConfidenceBins = 16;
constexpr size_t kLatencyBucketsMax = 64;
constexpr size_t kLatencyBucketsMin = 8;  // of a device (covey/config.h)
constexpr size_t kJointLeavesMax = 16;
constexpr size_t kEnergyBucketsMax = 16;
constexpr int32_t kFeatureValueMin = std::numeric_limits<int16_t>::min();
constexpr int32_t kFeatureValueMax = std::numeric_limits<int16_t>::max();
// Backlog cells on the device have 32 bits: no window can hold more.
constexpr uint64_t kInferencesMax = std::numeric_limits<uint32_t>::max();

struct FeatureCounts {
  Counts bins;           // value v is in the first bin with v <= edge (right-closed), else the last
  uint64_t missing = 0;  // invalid input; never binned
  uint64_t below = 0;    // below the training minimum (also in a bin)
  uint64_t above = 0;    // above the training maximum (also in a bin)
  // Of the binned values; min > max says that there was none.
  int32_t min = std::numeric_limits<int32_t>::max();
  int32_t max = std::numeric_limits<int32_t>::min();
  int64_t sum = 0;
  uint64_t sum_squares = 0;

  bool operator==(const FeatureCounts&) const = default;
};

// What firmware says about itself.
struct Health {
  // Not among the inferences of a window.
  uint64_t rejects = 0;    // input refused before the runtime
  uint64_t drops = 0;      // work skipped, e.g. no time, or not counted
  uint64_t saturated = 0;  // cells that would have overflowed
  uint64_t watchdog_resets = 0;
  // Extremes; 0: it did not say.
  uint64_t heap_free_min_bytes = 0;
  uint64_t arena_used_max_bytes = 0;
  uint64_t stack_used_max_bytes = 0;

  bool operator==(const Health&) const = default;
};
// Counts are added (saturating), sizes merge as extremes; Health{} is the neutral element.
void merge(Health& target, const Health& from);

struct WindowCounts {
  uint64_t inferences = 0;  // completed ones; what follows counts exactly these
  std::vector<FeatureCounts> features;
  Counts classes;     // by predicted class; empty for a model without classes
  Counts confidence;  // kConfidenceBins over [0, 1]; empty for a model without classes
  Counts latency;     // latency_bucket(); empty where the port cannot measure
  uint32_t latency_max_us = 0;
  uint64_t latency_sum_us = 0;
  Counts joint;   // by leaf of the QuantTree, where no feature of it is missing; empty: no tree
  Counts energy;  // energy_lower_uj(); of inferences that were measured
  uint64_t energy_sum_uj = 0;
  uint64_t errors = 0;  // the runtime failed; not among the inferences
  Health health;

  bool operator==(const WindowCounts&) const = default;
};

// What the telemetry tables of an artifact promise; a report must match it.
struct Shape {
  std::vector<size_t> bins;  // per feature
  size_t classes = 0;
  size_t joint = 0;  // leaves; a report may have none, of an agent that doesn't know trees

  bool operator==(const Shape&) const = default;
};

// target += from. Shapes should be equal (check() first); the longer vector decides the length.
// An empty WindowCounts{} is the neutral element.
void merge(WindowCounts& target, const WindowCounts& from);

// Quarantines what cannot be true. Errors: WINDOW_SHAPE (other vectors than the shape promises),
// WINDOW_CONTRADICTION (counts that no run of the device can produce); the message names the field.
Status check(const WindowCounts& window, const Shape& shape);

// Canonical bytes: version (1 where a window has nothing that came later), then varints; equal
// windows give equal bytes and the other way round.
Bytes encode(const WindowCounts& window);
// Refuses anything that encode() would not have written. Errors: BAD_WINDOW_BYTES.
Result<WindowCounts> decode_window(ByteView bytes);

// docs/design/monitoring.md, "Latency buckets": 16 us steps, then 4 buckets per octave (at most
// 25 % wide).
// Not clamped; a histogram of m buckets counts what is beyond in its last one.
uint32_t latency_bucket(uint32_t latency_us);
// Half-open [lower, upper) of a bucket.
struct LatencyBounds {
  uint64_t lower_us = 0;
  uint64_t upper_us = 0;
};
LatencyBounds latency_bounds(uint32_t bucket);

// Least energy of a bucket: 0, then 16 * 4^(k - 1).
uint64_t energy_lower_uj(size_t bucket);

// The q-quantile (rank ceil(q n)) of a latency histogram: between the bounds for certain, estimate
// by linear interpolation. The last bucket is bounded by max_us. Nothing counted: nullopt.
struct LatencyQuantile {
  double estimate_us = 0;
  LatencyBounds bounds;
};
std::optional<LatencyQuantile> latency_quantile(CountsView latency, Ratio q, uint32_t max_us);

}  // namespace covey::monitoring
