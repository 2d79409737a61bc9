// SPDX-License-Identifier: Apache-2.0
// How fast things may come, of each name apart: so many per second, and `burst` at once. Names that
// have not come for long are forgotten. Thread-safe; time is passed in, and may not go back.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace covey::access {

class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kNamesMax = 4096;

  Pace(double per_second, double burst) : per_second_(per_second), burst_(burst) {}
  // False: it comes too fast, and does not count.
  bool take(const std::string& name, Time now);
  // Whether take() would do.
  bool has_room(const std::string& name, Time now);

 private:
  struct Bucket {
    double left = 0;
    Time at;
  };
  Bucket& filled(const std::string& name, Time now);
  void forget_full(Time now);

  const double per_second_;
  const double burst_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  // guarded by mutex_
};

}  // namespace covey::access
