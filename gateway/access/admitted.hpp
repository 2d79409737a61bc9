// SPDX-License-Identifier: Apache-2.0
// Calls that last (watches, uploads) and what their callers are known by: when that is revoked or
// ends, so do they. Thread-safe; `end` is called outside all locks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "core/result.hpp"
#include "gateway/access/caller.hpp"

namespace covey::access {

class Admitted {
 public:
  using End = std::function<void(const Error&)>;
  uint64_t add(const Caller& caller, End end);
  void remove(uint64_t id);  // after it, or during it, `end` may still be running
  // Ends those for which `gone` is true.
  void end_where(const std::function<bool(const Caller&)>& gone, const Error& why);

 private:
  std::mutex mutex_;
  uint64_t next_ = 0;                                // guarded by mutex_
  std::map<uint64_t, std::pair<Caller, End>> long_;  // guarded by mutex_
};

}  // namespace covey::access
