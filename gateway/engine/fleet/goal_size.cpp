// SPDX-License-Identifier: Apache-2.0
// How large a goal may become on the wire (Goal of device.proto), before it is made: what does not
// fit must be known when an operator plans, not when a device waits.
#include <algorithm>

#include "covey/limits.h"
#include "gateway/engine/config.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

static_assert(kModelsPerDeviceMax == COVEY_DEVICE_MODELS_MAX);

// Tag and length, the id, what the gateway holds as confirmed.
constexpr size_t kModelBytes = 2 + 5 + (2 + COVEY_PREFIX_BYTES);
// Digest, mode, may_confirm; the attempt as far as it may grow.
constexpr size_t kCandidateBytes = (2 + COVEY_DIGEST_BYTES) + 2 + 2 + 6;
constexpr size_t kRestBytes = COVEY_GOAL_REST_BYTES_MAX - COVEY_DEVICE_ID_BYTES_MAX;

size_t varint_bytes(uint64_t value) {
  size_t bytes = 1;
  for (; value >= 128; value >>= 7U) ++bytes;
  return bytes;
}

size_t model_bytes(uint32_t security_floor, bool candidate) {
  return kModelBytes + (security_floor == 0 ? 0 : 1 + varint_bytes(security_floor)) +
         (candidate ? kCandidateBytes : 0);
}

}  // namespace

size_t goal_bytes_max(const GoalMessage& goal) {
  size_t bytes = kRestBytes + goal.device.str().size();
  for (const ModelGoal& model : goal.models) {
    bytes += model_bytes(model.security_floor, model.candidate.has_value());
  }
  return bytes;
}

size_t goal_bytes_with(const State& state, const Device& device, const ModelName& candidate,
                       Beside beside) {
  size_t bytes = kRestBytes + device.id.str().size();
  if (!device.models.contains(candidate)) bytes += model_bytes(0, true);
  for (const auto& [name, model] : device.models) {
    const Deployment* other =
        beside == Beside::kNothing ? nullptr : deployment_in_progress(state, device.id, name);
    const bool in_work = other != nullptr && in_flight(other->state);
    bytes += model_bytes(floor_of(model), name == candidate || in_work);
  }
  return bytes;
}

bool goal_fits(const State& state, const Device& device, const ModelName& candidate,
               Beside beside) {
  return goal_bytes_with(state, device, candidate, beside) <= COVEY_GOAL_BYTES_MAX;
}

}  // namespace covey::engine
