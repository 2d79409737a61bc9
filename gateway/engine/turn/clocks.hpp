// SPDX-License-Identifier: Apache-2.0
// What the engine knows of time and of the broker. Owned by turn/: nobody else changes it.
#pragma once

#include <cstdint>

#include "core/time.hpp"

namespace covey::engine {

struct Clocks {
  uint64_t broker_session = 0;  // 0: not connected to the broker
  bool broker_connected() const { return broker_session != 0; }
  Millis started_mono{0};
  Millis observed_kept{0};       // observed time that is stored
  Millis connected_observed{0};  // observed time when the broker came back last
  Now last_now{};
  Millis hold_until{0};  // observed time: until then nothing is deleted by the wall clock
  Millis last_tick{0};
  Millis last_sweep{0};
};

}  // namespace covey::engine
