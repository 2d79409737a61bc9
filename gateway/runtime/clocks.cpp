// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/clocks.hpp"

#include <ctime>

namespace covey::runtime {

Now now_of_clocks() {
  return {std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()),
          std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())};
}

std::chrono::nanoseconds processor_time() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

}  // namespace covey::runtime
