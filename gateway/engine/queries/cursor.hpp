// SPDX-License-Identifier: Apache-2.0
// A place in a map that others change between two looks: a look goes on behind the last key that
// the one before has seen. What comes in behind that is not seen, nor what leaves before its turn.
#pragma once

#include <cstddef>
#include <optional>

namespace covey::engine {

template <typename Key>
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(Key behind) : seen_(std::move(behind)) {}

  // `each(key, value)` for at least one entry, and for more until what it says that they cost
  // comes to `budget`. True: that was the last one.
  template <typename Map, typename Each>
  bool advance(const Map& map, size_t budget, Each each) {
    auto next = seen_ ? map.upper_bound(*seen_) : map.begin();
    size_t cost = 0;
    auto last = map.end();
    for (; next != map.end() && cost < budget; ++next) {
      cost += each(next->first, next->second);
      last = next;
    }
    if (last != map.end()) seen_ = last->first;
    return next == map.end();
  }

 private:
  std::optional<Key> seen_;
};

}  // namespace covey::engine
