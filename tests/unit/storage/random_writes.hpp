// SPDX-License-Identifier: Apache-2.0
// Writes of every kind over a few keys, so that puts replace and removals find something.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "storage/store.hpp"

namespace covey::test {

class RandomWrites {
 public:
  // Events and audit entries are numbered from `sequence` + 1.
  explicit RandomWrites(uint64_t seed, uint64_t sequence = 0)
      : random_(seed), sequence_(sequence) {}

  // One of std::variant_size_v<Write> kinds.
  Write make(size_t kind);
  Write next() { return make(below(std::variant_size_v<Write>)); }
  std::vector<Write> batch(size_t size);

  uint64_t below(uint64_t bound) { return random_() % bound; }
  PutRolloutPlan rollout_plan();
  RolloutProgress rollout_progress();

 private:
  uint64_t any64() { return random_(); }
  uint32_t any32() { return static_cast<uint32_t>(random_()); }
  bool any_flag() { return below(2) == 0; }
  Millis any_wall() { return Millis{static_cast<int64_t>(below(100)) * 1000}; }
  Millis some_time() { return Millis{static_cast<int64_t>(below(20)) * 1000}; }
  std::string any_text();
  Digest any_digest();  // of a few
  std::optional<Digest> maybe_digest();
  DeviceId any_device();
  ModelName any_model();
  RolloutName any_rollout();
  Cohort any_cohort();
  uint64_t any_boot();
  ReleaseId any_release();

  Device device();
  ReleaseRecord release();
  GateRecord gates();
  Deployment deployment();
  StreamRecord stream();
  WindowRecord window();
  monitoring::Alert alert();

  std::mt19937_64 random_;
  uint64_t sequence_;
};

// The same in every member, told row by row with the first column that differs.
void expect_same(const Snapshot& a, const Snapshot& b);

}  // namespace covey::test
