// SPDX-License-Identifier: Apache-2.0
// The right to change all of the state: for the turn itself and the door (engine.cpp), which hand
// it to the rooms (tests/layering).
#pragma once

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

inline State& own_all(Turn& turn) { return turn.all_; }

}  // namespace covey::engine
