// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: twice as long each time, up to a most. Plain value.
#pragma once

#include <algorithm>

#include "core/time.hpp"

namespace covey {

class Backoff {
 public:
  Backoff(Millis first, Millis most) : first_(first), most_(most), next_(first) {}

  // The wait before the attempt that comes now.
  Millis next() {
    const Millis wait = next_;
    next_ = std::min(2 * next_, most_);
    return wait;
  }
  // It worked: the next failure is a first one.
  void reset() { next_ = first_; }

 private:
  Millis first_;
  Millis most_;
  Millis next_;
};

}  // namespace covey
