// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/commit_pace.hpp"

#include <algorithm>

namespace covey::runtime {
namespace {

constexpr size_t kRowsThatTell = 64;  // fewer say what a commit costs, but not what a row does
constexpr size_t kRowsAtLeast = 256;
constexpr double kNewest = 0.25;  // of a measurement, in the average

}  // namespace

void CommitPace::observe(size_t rows, Duration took) {
  using Seconds = std::chrono::duration<double>;
  took = std::max(took, Duration{1});
  if (rows < kRowsThatTell) {
    // Only such commits say that a disk has become slow, and not its rows.
    own_ = own_ == Duration{0} ? took : own_ + (took - own_) / 4;
    return;
  }
  own_ = own_ == Duration{0} ? took : std::min(own_, took);
  const double rate = static_cast<double>(rows) / Seconds(took).count();
  rows_per_second_ += rows_per_second_ == 0 ? rate : kNewest * (rate - rows_per_second_);
  const double fits = rows_per_second_ * Seconds(std::max(wanted_, 2 * own_)).count();
  rows_ = std::clamp(static_cast<size_t>(std::min(fits, static_cast<double>(most_))),
                     std::min(kRowsAtLeast, most_), most_);
}

}  // namespace covey::runtime
