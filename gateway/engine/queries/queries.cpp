// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/queries/queries.hpp"

#include <algorithm>

#include "core/duration.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/gates/gates.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// What is the same for all devices of a stratum.
std::string stratum_of(const State& state, const Plan& plan, const Device& device) {
  std::string text;
  for (const std::string& field : plan.strata) {
    text += DeviceFields(state, device).find(field).value_or("") + '\x1f';
  }
  return text;
}

}  // namespace

Result<RolloutPreview> preview_rollout(const State& state, const Plan& plan) {
  if (!state.catalogue.releases.contains(plan.release)) {
    return Error{Code::kNotFound, "RELEASE_NOT_FOUND",
                 "spec.release: " + to_string(plan.release) +
                     " was not pushed: `covey model push` does, `covey model list` shows"};
  }
  RolloutPreview preview;
  std::vector<OrderedDevice> devices;
  for (const auto& [id, device] : state.fleet.devices) {
    if (device.state != DeviceState::kAccepted) continue;
    if (!plan.target.matches(DeviceFields(state, device))) continue;
    ++preview.matched;
    const Admission admission = admit(state, plan.release, device);
    if (admission.artifact == nullptr) {
      preview.excluded.push_back({id, admission.reason, admission.explanation});
      continue;
    }
    const auto model = device.models.find(plan.release.model);
    const bool runs = model != device.models.end() &&
                      model->second.reported.confirmed == admission.artifact->artifact->digest;
    devices.push_back({id, stratum_of(state, plan, device), runs});
    if (!runs && !is_online(state, id)) preview.offline.push_back(id);
  }
  if (preview.matched == 0) {
    return precondition("NO_DEVICES", "spec.target: '" + plan.target.text() +
                                          "' matches no accepted device: `covey device list "
                                          "--filter` shows what it matches");
  }
  std::vector<StageSize> sizes;
  sizes.reserve(plan.stages.size());
  for (const Stage& stage : plan.stages) sizes.push_back(stage.size);
  preview.sets = assign_stages(devices, plan.seed, sizes, plan.holdback);
  for (const DeviceId& id : preview.sets.already_running) {
    preview.excluded.push_back(
        {id, std::string(kAlreadyRunning), "runs " + to_string(plan.release)});
  }
  std::sort(preview.excluded.begin(), preview.excluded.end(),
            [](const Exclusion& a, const Exclusion& b) { return a.device < b.device; });
  return preview;
}

StageForecast forecast_stage(const State& state, const Plan& plan, const RolloutPreview& preview,
                             size_t stage) {
  StageForecast forecast;
  const size_t devices = preview.sets.ends[stage];
  const size_t control = preview.sets.order.size() - devices;
  for (const Gate& gate : plan.stages[stage].gates) {
    GateForecast said = foresee_gate(gate, {devices, control});
    forecast.gates.push_back(std::move(said.words));
    if (!said.warning.empty()) forecast.warnings.push_back(std::move(said.warning));
  }
  const std::set<DeviceId> offline(preview.offline.begin(), preview.offline.end());
  const auto added = preview.sets.added_by(stage);
  const auto absent = std::count_if(added.begin(), added.end(),
                                    [&](const DeviceId& id) { return offline.contains(id); });
  if (absent > 0) {
    forecast.warnings.push_back(std::to_string(absent) + " device(s) are offline: skipped after " +
                                covey::to_string(plan.skip_after));
  }
  (void)state;
  return forecast;
}

namespace {

StateCounts count_attempts(const State& state, const RolloutName& rollout,
                           std::optional<uint32_t> stage, bool rollback) {
  StateCounts counts;
  const uint32_t first = stage.value_or(0);
  for (auto it = state.rollouts.counts.lower_bound({rollout, first, false, ""});
       it != state.rollouts.counts.end(); ++it) {
    const auto& [name, of_stage, of_rollback, text] = it->first;
    if (name != rollout || (stage && of_stage != *stage)) break;
    if (of_rollback == rollback && it->second > 0) counts[text] += it->second;
  }
  return counts;
}

}  // namespace

StateCounts count_deployments(const State& state, const RolloutName& rollout,
                              std::optional<uint32_t> stage) {
  return count_attempts(state, rollout, stage, false);
}

StateCounts count_rollbacks(const State& state, const RolloutName& rollout) {
  return count_attempts(state, rollout, std::nullopt, true);
}

SiteView view_site(const State& state) {
  SiteView view;
  for (const auto& [id, device] : state.fleet.devices) {
    ++view.devices[std::string(to_string(device.state))];
    if (is_online(state, id)) ++view.online;
    for (const auto& [name, model] : device.models) {
      if (!model.reported.confirmed) continue;
      ++view.models[name.str()][version_of(state, model.reported.confirmed)];
    }
  }
  for (const auto& [name, rollout] : state.rollouts.by_name) {
    ++view.rollouts[std::string(to_string(rollout.progress.state))];
    if (!has_ended(rollout.progress.state)) view.active.push_back(name);
  }
  for (const auto& [key, track] : state.telemetry.alerts) {
    if (track.newest && track.newest->state == monitoring::AlertState::kFiring) {
      ++view.alerts_firing;
    }
  }
  for (const auto& [key, total] : state.telemetry.totals) {
    view.inferences += total.inferences;
    view.windows_lost += total.windows_lost;
  }
  return view;
}

}  // namespace covey::engine
