// SPDX-License-Identifier: Apache-2.0
// Work over many devices, some per tick. Of this room only; engine thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/id.hpp"
#include "gateway/engine/config.hpp"

namespace covey::engine {

// What one tick may do in this room, so that a turn stays short whatever the size of the fleet.
struct TickBudget {
  uint32_t offers = 0;                 // of releases: the site's pace (pace.cpp)
  uint32_t tellings = 0;               // of what goes back: as fast as it is shown (receipts.cpp)
  uint32_t changes = kChangesPerTick;  // of deployments
  uint32_t looks = kLooksPerTick;      // at devices

  bool take_offer() { return changes > 0 && take(offers) && take(changes); }
  bool take_telling() { return changes > 0 && take(tellings) && take(changes); }
  bool take_change() { return take(changes); }
  bool take_look() { return take(looks); }

 private:
  static bool take(uint32_t& left) {
    if (left == 0) return false;
    --left;
    return true;
  }
};

struct Walk {
  bool going_on = false;
  std::optional<DeviceId> until;  // done up to here
};

// Some more entries of a map by device, in its order; `step` says whether it changed something.
// True: that was the last.
template <typename Map, typename Step>
bool walk(Walk& at, const Map& map, TickBudget& budget, Step step) {
  if (!at.going_on) return true;
  auto next = at.until ? map.upper_bound(*at.until) : map.begin();
  for (; next != map.end(); ++next) {
    if (budget.changes == 0 || !budget.take_look()) return false;
    at.until = next->first;
    if (step(next->first, next->second)) (void)budget.take_change();
  }
  at = {};
  return true;
}

}  // namespace covey::engine
