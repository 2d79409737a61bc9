// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/queries/existence.hpp"

namespace covey::engine {

Status expect_device(const State& state, const DeviceId& device) {
  if (state.fleet.devices.contains(device)) return {};
  return not_found("no device " + device.str() + ": `covey device list` shows them");
}

Status expect_model(const State& state, const ModelName& model) {
  for (const auto* releases : {&state.catalogue.releases, &state.catalogue.deleted}) {
    const auto first = releases->lower_bound(ReleaseId{model, Version{}});
    if (first != releases->end() && first->first.model == model) return {};
  }
  return not_found("no model " + model.str() + ": `covey model list` shows them");
}

Status expect_release(const State& state, const ReleaseId& release) {
  if (state.catalogue.releases.contains(release)) return {};
  return not_found("no release " + to_string(release) + ": `covey model list` shows them");
}

Status expect_rollout(const State& state, const RolloutName& rollout) {
  if (state.rollouts.by_name.contains(rollout)) return {};
  return not_found("no rollout " + rollout.str() + ": `covey rollout list` shows them");
}

}  // namespace covey::engine
