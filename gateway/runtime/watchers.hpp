// SPDX-License-Identifier: Apache-2.0
// Who wants to hear of each newly durable revision. Thread safety: every method from any thread;
// `changed` is called on the thread that tells, outside the lock, and perhaps once more while its
// removal goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace covey::runtime {

class Watchers {
 public:
  using Changed = std::function<void(uint64_t revision)>;

  uint64_t add(Changed changed) {
    const std::lock_guard lock(mutex_);
    watchers_.emplace(++newest_, std::move(changed));
    return newest_;
  }
  void remove(uint64_t id) {
    const std::lock_guard lock(mutex_);
    watchers_.erase(id);
  }
  void tell(uint64_t revision) const {
    std::vector<Changed> all;
    {
      const std::lock_guard lock(mutex_);
      all.reserve(watchers_.size());
      for (const auto& [id, changed] : watchers_) all.push_back(changed);
    }
    for (const Changed& changed : all) changed(revision);
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, Changed> watchers_;  // guarded by mutex_
  uint64_t newest_ = 0;                   // guarded by mutex_
};

}  // namespace covey::runtime
