// SPDX-License-Identifier: Apache-2.0
// From the engine's state to the API's messages. Pure; engine thread (they look at the state).
#pragma once

#include "covey/v1/admin.pb.h"
#include "covey/v1/devices.pb.h"
#include "covey/v1/models.pb.h"
#include "covey/v1/monitoring.pb.h"
#include "covey/v1/rollouts.pb.h"
#include "gateway/engine/engine.hpp"
#include "gateway/engine/queries/queries.hpp"

namespace covey::api {

void fill(v1::Device& to, const engine::State& state, const Device& device);
// Without devices_confirmed: engine::UseQuestion counts them.
void fill(v1::Release& to, const ReleaseRecord& release);
// Whole but for the exclusions of a settled rollout: the store has them (Reader::rollout_plan).
void fill(v1::Rollout& to, const engine::State& state, const Rollout& rollout);
// As lists have it: without exclusions and without what the gates said.
void fill_summary(v1::Rollout& to, const engine::State& state, const Rollout& rollout);
void fill(v1::Exclusion& to, const Exclusion& exclusion);
// Some of them, from the first one after `after` on; `all` are by device.
void fill_exclusions(v1::Rollout& to, const std::vector<Exclusion>& all, const DeviceId& after);
void fill(v1::Deployment& to, const engine::State& state, const Deployment& deployment);
void fill(v1::Alert& to, const monitoring::Alert& alert);
void fill(v1::Histogram& to, const engine::HistogramView& view);
void fill(v1::TrustedKey& to, const TrustedKeyRecord& key);
void fill(v1::Root& to, const RootRecord& record);
// Counts only: whose they are is the caller's.
void fill(v1::InferenceTotal& to, const TotalRecord& record);
void fill(v1::Window& to, const engine::State& state, const WindowRecord& window);

}  // namespace covey::api
