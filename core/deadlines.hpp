// SPDX-License-Identifier: Apache-2.0
// Who has to be looked at when, for many at a time: nothing is touched before its time. A deadline
// that moves on costs nothing: its entry is set anew when the old time comes. Who keeps one notes
// beside it the time of the entry that counts (Millis{0}: none); others of the key are stale.
// Thread safety: one thread at a time. Memory: one entry per add() that was not looked at yet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "core/time.hpp"

namespace covey {

template <typename Key>
class Deadlines {
 public:
  void add(Millis at, Key key) {
    heap_.emplace_back(at, std::move(key));
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  // Calls `look(key, at)` for at most `most` entries that are due at `now`, the earliest first. It
  // returns when the key is due again, or nullopt: its entry is gone. What is due again at once
  // comes up in the next run, not in this one.
  template <typename Look>
  void run(Millis now, size_t most, Look look) {
    std::vector<Entry> again;
    while (most > 0 && !heap_.empty() && heap_.front().first <= now) {
      --most;
      std::pop_heap(heap_.begin(), heap_.end(), later);
      Entry entry = std::move(heap_.back());
      heap_.pop_back();
      if (const std::optional<Millis> next = look(entry.second, entry.first)) {
        again.emplace_back(*next, std::move(entry.second));
      }
    }
    for (Entry& entry : again) add(entry.first, std::move(entry.second));
  }

  size_t size() const { return heap_.size(); }

 private:
  using Entry = std::pair<Millis, Key>;
  static bool later(const Entry& a, const Entry& b) { return b.first < a.first; }

  std::vector<Entry> heap_;
};

}  // namespace covey
