// SPDX-License-Identifier: Apache-2.0
// What a rollout waits for: who, why, since when, until when, and what can be done about it.
// Derived from where its attempts stand; pure; engine thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/rollout/rollout.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

struct Wait {
  std::string what;               // UPPER_SNAKE, stable: OFFLINE, QUARANTINED, APPROVAL, ...
  std::vector<DeviceId> devices;  // by name, at most ten
  uint32_t devices_total = 0;     // 0: it does not wait for devices
  Millis since{0};                // wall; 0: not known
  Millis until{0};                // wall, if coveyd runs until then; 0: no end of its own
  std::string explanation;        // why
  std::string advice;             // what an operator can do
};

// What holds it up most comes first. Empty: it has ended, or goes on at once.
std::vector<Wait> waits_of(const State& state, const Rollout& rollout);

}  // namespace covey::engine
