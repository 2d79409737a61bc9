// SPDX-License-Identifier: Apache-2.0
// The right to change this room's part of the state: included by its own sources only
// (tests/layering).
#pragma once

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

inline AccessState& own_access(Turn& turn) { return turn.all_.access; }

}  // namespace covey::engine
