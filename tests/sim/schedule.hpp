// SPDX-License-Identifier: Apache-2.0
// Virtual time: a queue of things that happen, in order of time and, at the same time, of planning.
// Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "core/time.hpp"

namespace covey::sim {

// splitmix64: small, seeded, the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  bool chance(double probability) {
    return static_cast<double>(next() >> 11U) * 0x1.0p-53 < probability;
  }
  Millis between(Millis low, Millis high) {
    return low + Millis{below(static_cast<uint64_t>((high - low).count()) + 1)};
  }

 private:
  uint64_t state_;
};

class Schedule {
 public:
  Millis now() const { return now_; }
  void at(Millis when, std::function<void()> what) {
    queue_.push({when < now_ ? now_ : when, ++planned_, std::move(what)});
  }
  void after(Millis delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  // Runs what is due up to and including `until`.
  void run(Millis until) {
    while (!queue_.empty() && queue_.top().when <= until) {
      Entry entry = queue_.top();
      queue_.pop();
      now_ = entry.when;
      entry.what();
    }
    now_ = until;
  }

 private:
  struct Entry {
    Millis when;
    uint64_t order = 0;
    std::function<void()> what;
    bool operator<(const Entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  Millis now_{0};
  uint64_t planned_ = 0;
  std::priority_queue<Entry> queue_;
};

}  // namespace covey::sim
