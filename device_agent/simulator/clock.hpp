// SPDX-License-Identifier: Apache-2.0
// Time as the simulator reads it, and intervals under --speed-up. Any thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/time.hpp"

namespace covey::simulator {

inline int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Configured intervals only; what the hardware or the network needs is never scaled.
inline uint32_t scaled(Millis interval, double speed_up, int64_t least_ms) {
  const auto ms = static_cast<int64_t>(static_cast<double>(interval.count()) / speed_up);
  return static_cast<uint32_t>(std::clamp<int64_t>(ms, least_ms, UINT32_MAX));
}

}  // namespace covey::simulator
