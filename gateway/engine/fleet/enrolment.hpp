// SPDX-License-Identifier: Apache-2.0
// What enrolment does for the other ways in and out of the fleet. For this room's sources only.
#pragma once

#include <string_view>
#include <vector>

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

void set_state(Turn& turn, Device& device, DeviceState state);
// They are ours: the broker is told first, then each of those that have asked.
void accept(Turn& turn, const std::vector<DeviceId>& ids);
// The keys stop working with this transaction, and nothing counts on the device any more.
void void_keys(Turn& turn, Device& device, DeviceState state, std::string_view why);
// Which claim it came by, if any: that has a place less.
void note_way(Turn& turn, Device& device, const ClaimName& claim);

}  // namespace covey::engine
