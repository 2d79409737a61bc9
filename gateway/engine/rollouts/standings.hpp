// SPDX-License-Identifier: Apache-2.0
// How the attempts of rollouts stand, kept where a deployment begins and where its state changes
// and nowhere else: nobody has to walk over them to know. Of this room only. Engine thread.
#pragma once

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// A failed attempt after which its rollout makes another one. (After the last one of a rollback the
// device is put right by what is desired of it: assignments.cpp.)
bool retry_follows(const Rollout& rollout, const Deployment& deployment);

// The newest attempt of its device begins to stand where it does now, or stops doing so.
void stand(RolloutsState& rollouts, const Deployment& newest);
void stand_no_more(RolloutsState& rollouts, const Deployment& newest);
// All of it anew, from the deployments: at the start, and to check (tests/sim).
void recount(RolloutsState& rollouts);

// Looks at the deployment when its time has come (expiry.cpp).
void expire_in_time(RolloutsState& rollouts, const State& state, const Deployment& deployment);
void retry_in_time(RolloutsState& rollouts, const State& state, const Deployment& ended);

}  // namespace covey::engine
