// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/gates/evidence.hpp"

#include <algorithm>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/rollouts/standings.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"

namespace covey::engine {

namespace {
constexpr int kSilentIntervals = 3;
}

StageEvidence::StageEvidence(const Turn& turn, const Rollout& rollout, size_t stage)
    : turn_(turn), rollout_(rollout), stage_(stage) {}

size_t StageEvidence::control_begin() const {
  if (rest_begin() < rollout_.plan->order.size()) return rest_begin();
  return stage_ == 0 ? rollout_.plan->order.size() : rollout_.plan->ends[stage_ - 1];
}

bool StageEvidence::retry_follows(const Deployment& deployment) const {
  return engine::retry_follows(rollout_, deployment);
}

bool StageEvidence::left_release(const Deployment& deployment) const {
  const DeviceModel& model =
      state().fleet.devices.at(deployment.device).models.at(rollout_.plan->rules.release.model);
  return deployment.state == DeploymentState::kConfirmed &&
         model.reported.confirmed != deployment.manifest && !model.reported.fallback_reason.empty();
}

bool StageEvidence::has_reported(const Deployment& deployment) const {
  const auto total = state().telemetry.totals.find(
      {deployment.device, deployment.manifest, Cohort::canary(rollout_.plan->name)});
  return total != state().telemetry.totals.end() && total->second.windows > 0;
}

bool StageEvidence::is_silent(const DeviceId& device) const {
  Millis since = state().clocks.connected_observed + grace(turn_.config);
  if (const Session* session = state().fleet.session_of(device)) {
    since = std::max(since, session->last_report_observed);
  }
  return state().site.observed - since > kSilentIntervals * turn_.config.report_interval;
}

bool StageEvidence::is_unheard(const DeviceId& device) const {
  const Session* session = state().fleet.session_of(device);
  return session == nullptr || session->last_report_observed < state().clocks.connected_observed;
}

// The window in which the first stage began is mixed: the next one is the first to count.
int64_t StageEvidence::comparison_start() const {
  const Millis window = turn_.config.window;
  return (rollout_.progress.stages.front().start_wall / window) * window.count();
}

monitoring::LabelsByWindow StageEvidence::labels_of(const DeviceId& device,
                                                    const Digest& manifest) const {
  monitoring::LabelsByWindow windows;
  const auto tally = state().telemetry.tally.find({manifest, device});
  if (tally == state().telemetry.tally.end()) return windows;
  for (auto it = tally->second.lower_bound(comparison_start()); it != tally->second.end(); ++it) {
    windows.push_back({it->first, it->second});
  }
  return windows;
}

monitoring::LabelsByWindow StageEvidence::canary_labels(const Deployment& deployment) const {
  return labels_of(deployment.device, deployment.manifest);
}

std::optional<monitoring::LabelsByWindow> StageEvidence::control_labels(
    const DeviceId& device) const {
  const auto& models = state().fleet.devices.at(device).models;
  const auto model = models.find(rollout_.plan->rules.release.model);
  if (model == models.end() || !model->second.reported.confirmed) return std::nullopt;
  const auto index = state().rollouts.attempts.find(rollout_.plan->name);
  if (index != state().rollouts.attempts.end()) {
    const auto number = index->second.rollout.newest.find(device);
    if (number != index->second.rollout.newest.end()) {
      const Deployment& deployment = state().rollouts.deployments.at(number->second);
      return deployment.previous ? labels_of(device, *deployment.previous)
                                 : monitoring::LabelsByWindow{};
    }
  }
  return labels_of(device, *model->second.reported.confirmed);
}

std::string StageEvidence::label_of(const DeviceId& device, const std::string& key) const {
  return DeviceFields(state(), state().fleet.devices.at(device))
      .find("labels." + key)
      .value_or("(none)");
}

}  // namespace covey::engine
