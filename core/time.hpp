// SPDX-License-Identifier: Apache-2.0
// Time is always an argument: nothing below gateway/runtime reads a clock.
#pragma once

#include <chrono>

namespace covey {

using Millis = std::chrono::milliseconds;
using namespace std::chrono_literals;  // NOLINT(google-global-names-in-headers)

// `mono` never goes back while the process runs and starts anywhere; deadlines and soak use it.
// `wall` is UTC since 1970 and may jump; windows, schedules and what people read use it.
struct Now {
  Millis mono{0};
  Millis wall{0};
};

}  // namespace covey
