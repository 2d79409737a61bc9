// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/admitted.hpp"

#include <utility>
#include <vector>

namespace covey::access {

uint64_t Admitted::add(const Caller& caller, End end) {
  const std::lock_guard lock(mutex_);
  long_.emplace(++next_, std::pair(caller, std::move(end)));
  return next_;
}

void Admitted::remove(uint64_t id) {
  const std::lock_guard lock(mutex_);
  long_.erase(id);
}

void Admitted::end_where(const std::function<bool(const Caller&)>& gone, const Error& why) {
  std::vector<End> ends;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = long_.begin(); it != long_.end();) {
      if (!gone(it->second.first)) {
        ++it;
        continue;
      }
      ends.push_back(std::move(it->second.second));
      it = long_.erase(it);
    }
  }
  for (const End& end : ends) end(why);
}

}  // namespace covey::access
