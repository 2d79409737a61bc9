// SPDX-License-Identifier: Apache-2.0
// Stored window bytes: whatever is accepted has one encoding, and merging it with itself any way
// round is defined.
#include <cstddef>
#include <cstdint>

#include "core/assert.hpp"
#include "monitoring/counts/window.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace covey::monitoring;  // NOLINT(google-build-using-namespace)
  const covey::ByteView bytes(data, size);
  const covey::Result<WindowCounts> window = decode_window(bytes);
  if (!window) return 0;
  const covey::Bytes again = encode(*window);
  COVEY_ASSERT(again == covey::Bytes(bytes.begin(), bytes.end()));
  Shape shape;
  for (const FeatureCounts& feature : window->features) shape.bins.push_back(feature.bins.size());
  shape.classes = window->classes.size();
  shape.joint = window->joint.size();
  static_cast<void>(check(*window, shape).ok());
  WindowCounts left;
  merge(left, *window);
  COVEY_ASSERT(left == *window);
  merge(left, left);
  COVEY_ASSERT(left.health.heap_free_min_bytes == window->health.heap_free_min_bytes);
  WindowCounts right = *window;
  merge(right, *window);
  COVEY_ASSERT(left == right);
  for (const covey::Ratio q : {covey::Ratio{0}, covey::Ratio::percent(95)}) {
    const auto quantile = latency_quantile(window->latency, q, window->latency_max_us);
    COVEY_ASSERT(!quantile || quantile->bounds.lower_us < quantile->bounds.upper_us);
  }
  return 0;
}
