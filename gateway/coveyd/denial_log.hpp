// SPDX-License-Identifier: Apache-2.0
// Calls that were not let in, in the log: a line for each reason in ten seconds, with how many
// there were. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "gateway/access/access.hpp"

namespace covey {

class DenialLog {
 public:
  void note(const access::Denial& denial);

 private:
  struct Row {
    uint64_t times = 0;
    std::chrono::steady_clock::time_point said{};
  };
  std::mutex mutex_;
  std::map<std::string, Row> rows_;  // by reason, of which there are few; guarded by mutex_
};

}  // namespace covey
