// SPDX-License-Identifier: Apache-2.0
// Whether there is what a question is about: what is asked about nothing has no empty answer.
// Pure; engine thread. Errors: NOT_FOUND with the name.
#pragma once

#include "core/id.hpp"
#include "core/result.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

Status expect_device(const State& state, const DeviceId& device);
// One of which something was pushed.
Status expect_model(const State& state, const ModelName& model);
Status expect_release(const State& state, const ReleaseId& release);
Status expect_rollout(const State& state, const RolloutName& rollout);

}  // namespace covey::engine
