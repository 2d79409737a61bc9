// SPDX-License-Identifier: Apache-2.0
// How many rows a commit may have, so that none takes long: whoever asks something waits for the
// commit that is under way and for the next one. Follows what commits took: many rows where rows
// are quick, few on a machine that is busy, and enough everywhere that what a commit costs by
// itself (the disk's flush) is at most half of it. Single-threaded.
#pragma once

#include <chrono>
#include <cstddef>

namespace covey::runtime {

class CommitPace {
 public:
  using Duration = std::chrono::steady_clock::duration;

  // `wanted`: what a commit should take at most; `most`: rows, never more.
  CommitPace(Duration wanted, size_t most) : wanted_(wanted), most_(most), rows_(most) {}

  // A commit of `rows` rows took `took` until it was durable.
  void observe(size_t rows, Duration took);
  size_t rows() const { return rows_; }

 private:
  const Duration wanted_;
  const size_t most_;
  size_t rows_;
  double rows_per_second_ = 0;  // smoothed
  Duration own_{0};             // what a commit costs without rows: the disk's flush
};

}  // namespace covey::runtime
