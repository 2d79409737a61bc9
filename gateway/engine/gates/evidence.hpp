// SPDX-License-Identifier: Apache-2.0
// What the engine knows of a stage, as gates ask for it: which devices took the release, what
// became of them, who is silent, what their labels say. Looks only; valid within one turn. Engine
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "gateway/engine/turn/turn.hpp"
#include "monitoring/accuracy/accuracy.hpp"

namespace covey::engine {

class StageEvidence {
 public:
  StageEvidence(const Turn& turn, const Rollout& rollout, size_t stage);

  const State& state() const { return turn_.state; }
  const Rollout& rollout() const { return rollout_; }
  uint64_t targeted() const { return rollout_.plan->ends[stage_]; }
  // Where the devices begin, in the order of the plan, that the stage leaves out.
  size_t rest_begin() const { return rollout_.plan->ends[stage_]; }
  // Concurrent control: devices that are not in this stage. Where the stage leaves none, those that
  // the stage added were control until now, and their own past since the start is used.
  size_t control_begin() const;

  bool retry_follows(const Deployment& deployment) const;
  // A confirmed device that left the release by itself later.
  bool left_release(const Deployment& deployment) const;
  // A window of the release came since the device took it.
  bool has_reported(const Deployment& deployment) const;

  bool is_silent(const DeviceId& device) const;
  // Whether it runs at all is not known since coveyd or its broker came back.
  bool is_unheard(const DeviceId& device) const;

  // Labels of inferences since the comparison began, of the release or of what control runs. A
  // device that never spoke of the model is no control for it: nullopt.
  monitoring::LabelsByWindow canary_labels(const Deployment& deployment) const;
  std::optional<monitoring::LabelsByWindow> control_labels(const DeviceId& device) const;
  // The device's value of the label; "(none)" without one.
  std::string label_of(const DeviceId& device, const std::string& key) const;

 private:
  int64_t comparison_start() const;
  monitoring::LabelsByWindow labels_of(const DeviceId& device, const Digest& manifest) const;

  const Turn& turn_;
  const Rollout& rollout_;
  size_t stage_;
};

}  // namespace covey::engine
