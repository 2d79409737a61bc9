// SPDX-License-Identifier: Apache-2.0
// The way of a command to the room that decides it; audit and reply. Engine thread.
#pragma once

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

void on_command(Turn& turn, const CommandReceived& event);

}  // namespace covey::engine
