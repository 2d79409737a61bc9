// SPDX-License-Identifier: Apache-2.0
// Durations of something that happens often: how long, at worst and at the 99th percentile of the
// last thousand. One thread observes, any thread reads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace covey::runtime {

struct LagFigures {
  uint64_t count = 0;
  uint32_t p50_us = 0;
  uint32_t p99_us = 0;
  uint32_t max_us = 0;  // since the start
};

class Lag {
 public:
  void observe(std::chrono::steady_clock::duration duration);
  LagFigures figures() const;

 private:
  mutable std::mutex mutex_;
  std::array<uint32_t, 1000> last_{};  // guarded by mutex_
  uint64_t count_ = 0;                 // guarded by mutex_
  uint32_t max_us_ = 0;                // guarded by mutex_
};

}  // namespace covey::runtime
