// SPDX-License-Identifier: Apache-2.0
// What waits to be told to devices: of each device the newest only, in the place of what waited for
// it before. Bounded by the devices. Thread safety: every method from any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "core/id.hpp"

namespace covey::runtime {

template <typename T>
class NewestQueue {
 public:
  void put(const DeviceId& device, T value) {
    const std::lock_guard lock(mutex_);
    const auto [found, fresh] = newest_.insert_or_assign(device, std::move(value));
    if (fresh) turns_.push_back(device);
  }
  // Of the device that waits longest.
  std::optional<T> take() {
    const std::lock_guard lock(mutex_);
    if (turns_.empty()) return std::nullopt;
    auto taken = newest_.extract(turns_.front());
    turns_.pop_front();
    return std::move(taken.mapped());
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    newest_.clear();
    turns_.clear();
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return turns_.size();
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<DeviceId, T> newest_;
  std::deque<DeviceId> turns_;  // each device of newest_ once
};

}  // namespace covey::runtime
