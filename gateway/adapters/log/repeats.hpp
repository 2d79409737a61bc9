// SPDX-License-Identifier: Apache-2.0
// How often a kind of line may come: some at once, then some per second. What is above is counted,
// and said from time to time. So whoever can cause a line cannot write the log.
//
// Thread safety: none of its own. Time is an argument.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.hpp"

namespace covey::log {

class Repeats {
 public:
  // Kinds left out, with how many lines.
  using LeftOut = std::vector<std::pair<std::string, uint64_t>>;

  bool pass(std::string_view kind, Millis now);
  // Those that were not said for kRepeatsSaidEvery, or `all`.
  LeftOut take(Millis now, bool all);
  uint64_t left_out() const { return total_; }

 private:
  struct Kind {
    double tokens = 0;
    Millis filled{0};
    uint64_t left_out = 0;  // and not said yet
    Millis since{0};        // the first of them
  };
  Kind& kind_of(std::string_view name, Millis now);

  std::map<std::string, Kind, std::less<>> kinds_;
  uint64_t waiting_ = 0;  // kinds with something to say
  uint64_t total_ = 0;
};

}  // namespace covey::log
