// SPDX-License-Identifier: Apache-2.0
// A bounded multi-producer, single-consumer queue. Full means refused: the caller decides what that
// is worth (docs/design/time-and-persistence.md, "Queues and drops") and counts it.
// Thread safety: every method from any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

namespace covey {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // False when full or closed; the item is then untouched.
  [[nodiscard]] bool try_push(T&& item) {
    const std::lock_guard lock(mutex_);
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  // Takes up to `limit` of the oldest items.
  std::deque<T> pop_some(size_t limit) {
    const std::lock_guard lock(mutex_);
    std::deque<T> taken;
    if (items_.size() <= limit) {
      taken.swap(items_);
    } else {
      for (; limit > 0; --limit) {
        taken.push_back(std::move(items_.front()));
        items_.pop_front();
      }
    }
    return taken;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<T> items_;  // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace covey
