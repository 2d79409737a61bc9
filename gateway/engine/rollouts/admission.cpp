// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "covey/limits.h"
#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

Admission too_large(const State& state, const ReleaseId& release, const Device& device) {
  const size_t bytes = goal_bytes_with(state, device, release.model, Beside::kNothing);
  return {nullptr, "GOAL_TOO_LARGE",
          fmt::format("{} names {} models: a goal for all of them may have {} bytes, {} is the "
                      "most; run fewer models on it",
                      device.id.str(), device.models.size(), bytes, COVEY_GOAL_BYTES_MAX)};
}

}  // namespace

Admission admit(const State& state, const ReleaseId& release, const Device& device) {
  const auto found = state.catalogue.releases.find(release);
  if (found == state.catalogue.releases.end()) {
    return {nullptr, "RELEASE_NOT_FOUND", to_string(release) + " was not pushed"};
  }
  if (std::string why = withheld(state.catalogue, release); !why.empty()) {
    return {nullptr, "RELEASE_WITHHELD", std::move(why)};
  }
  Admission refused{
      nullptr, "CLASS_MISMATCH",
      "no artifact of " + to_string(release) + " is for class " + device.facts.device_class.str()};
  uint32_t floor = 0;
  if (const auto model = device.models.find(release.model); model != device.models.end()) {
    floor = floor_of(model->second);
  }
  for (const ArtifactRecord& record : found->second.artifacts) {
    const auto obstacle = check_compatibility(record.artifact->manifest,
                                              record.artifact->algorithms(), device.facts, floor);
    if (!obstacle && !goal_fits(state, device, release.model, Beside::kNothing)) {
      return too_large(state, release, device);
    }
    if (!obstacle) return {&state.catalogue.artifacts.at(record.artifact->digest), "", ""};
    if (obstacle->reason != IncompatibilityReason::kClassMismatch) {
      refused.reason = std::string(to_string(obstacle->reason));
      refused.explanation = obstacle->explanation;
    }
  }
  return refused;
}

bool can_be_offered(const State& state, const Deployment& deployment) {
  const Device& device = state.fleet.devices.at(deployment.device);
  return is_reachable(state, deployment.device) &&
         goal_fits(state, device, deployment.release.model, Beside::kWorkOfNow);
}

}  // namespace covey::engine
