// SPDX-License-Identifier: Apache-2.0
// The two clocks, read here and nowhere below: time is an argument there. Any thread.
#pragma once

#include "core/time.hpp"

namespace covey::runtime {

Now now_of_clocks();
// Processor time of the calling thread.
std::chrono::nanoseconds processor_time();

}  // namespace covey::runtime
