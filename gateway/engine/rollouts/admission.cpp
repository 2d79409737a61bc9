#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {

Admission admit(const State& state, const ReleaseId& release, const Device& device) {
  const auto found = state.catalogue.releases.find(release);
  if (found == state.catalogue.releases.end()) {
    return {nullptr, "RELEASE_NOT_FOUND", to_string(release) + " was not pushed"};
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
    if (!obstacle) return {&state.catalogue.artifacts.at(record.artifact->digest), "", ""};
    if (obstacle->reason != IncompatibilityReason::kClassMismatch) {
      refused.reason = std::string(to_string(obstacle->reason));
      refused.explanation = obstacle->explanation;
    }
  }
  return refused;
}

}  // namespace covey::engine
