// SPDX-License-Identifier: Apache-2.0
// Who needs a release: devices that run it, or would; rollouts that bring it, or could bring it
// back; assignments (docs/adr/0034). Pure; engine thread.
#pragma once

#include "core/result.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

// Errors: RELEASE_IN_USE, with who uses it and what ends that.
Status refuse_used(const State& state, const ReleaseRecord& release);

}  // namespace covey::engine
