// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/queries/queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/duration.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/gates/gates.hpp"
#include "gateway/engine/queries/questions.hpp"
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

Result<bool> PreviewQuestion::look(const State& state, const Plan& plan) {
  if (!state.catalogue.releases.contains(plan.release)) {
    return Error{Code::kNotFound, "RELEASE_NOT_FOUND",
                 "spec.release: " + to_string(plan.release) +
                     " was not pushed: `covey model push` does, `covey model list` shows"};
  }
  const auto see = [&](const DeviceId& id, const Device& device) -> size_t {
    if (device.state != DeviceState::kAccepted) return 1;
    if (!plan.target.matches(DeviceFields(state, device))) return 1;
    ++preview_.matched;
    const Admission admission = admit(state, plan.release, device);
    if (admission.artifact == nullptr) {
      preview_.excluded.push_back({id, admission.reason, admission.explanation});
      return 1;
    }
    const auto model = device.models.find(plan.release.model);
    const bool runs = model != device.models.end() &&
                      model->second.reported.confirmed == admission.artifact->artifact->digest;
    order_.push_back({id, stratum_of(state, plan, device), runs});
    if (!runs && !is_online(state, id)) preview_.offline.push_back(id);
    return 1;
  };
  if (!devices_.advance(state.fleet.devices, kDevicesPerLook, see)) return false;
  if (preview_.matched > 0) return true;
  return precondition("NO_DEVICES", "spec.target: '" + plan.target.text() +
                                        "' matches no accepted device: `covey device list "
                                        "--filter` shows what it matches");
}

RolloutPreview PreviewQuestion::arrange(const Plan& plan) && {
  std::vector<StageSize> sizes;
  sizes.reserve(plan.stages.size());
  for (const Stage& stage : plan.stages) sizes.push_back(stage.size);
  preview_.sets = assign_stages(order_, plan.seed, sizes, plan.holdback);
  for (const DeviceId& id : preview_.sets.already_running) {
    preview_.excluded.push_back(
        {id, std::string(kAlreadyRunning), "runs " + to_string(plan.release)});
  }
  std::sort(preview_.excluded.begin(), preview_.excluded.end(),
            [](const Exclusion& a, const Exclusion& b) { return a.device < b.device; });
  return std::move(preview_);
}

Result<RolloutPreview> preview_rollout(const State& state, const Plan& plan) {
  PreviewQuestion question;
  for (;;) {
    const Result<bool> whole = question.look(state, plan);
    if (!whole) return whole.error();
    if (*whole) return std::move(question).arrange(plan);
  }
}

namespace {

// Of sizes that a plan's author may not have meant for so many devices.
std::string size_warning(const Plan& plan, const RolloutPreview& preview, size_t stage) {
  const size_t most = preview.sets.order.size() - preview.sets.holdback;
  const size_t end = preview.sets.ends[stage];
  const bool last = stage + 1 == plan.stages.size();
  if (most == 0) return "it has no device: those that match can't take the release or run it";
  if (preview.sets.added_by(stage).empty()) {
    return "it has no device of its own: the stages before it have them all, it only soaks and "
           "judges again";
  }
  if (!last && end >= most) {
    return "it takes every device: the stages after it have none, so nothing is tried on a few "
           "first";
  }
  if (last && end < most) {
    return fmt::format(
        "it is the last one and {} of {} devices ({:.3g} %) are in no stage: they keep what they "
        "have; a last stage of 100% takes them",
        most - end, most, 100.0 * static_cast<double>(most - end) / static_cast<double>(most));
  }
  return "";
}

}  // namespace

StageForecast forecast_stage(const Plan& plan, const RolloutPreview& preview, size_t stage) {
  StageForecast forecast;
  const size_t devices = preview.sets.ends[stage];
  const size_t control = preview.sets.order.size() - devices;
  for (const Gate& gate : plan.stages[stage].gates) {
    GateForecast said = foresee_gate(gate, {devices, control});
    forecast.gates.push_back(std::move(said.words));
    if (!said.warning.empty()) forecast.warnings.push_back(std::move(said.warning));
    if (said.impossible.empty()) continue;
    forecast.warnings.push_back(fmt::format("{} (create refuses it)", said.impossible));
    forecast.impossible.push_back(std::move(said.impossible));
  }
  if (std::string words = size_warning(plan, preview, stage); !words.empty()) {
    forecast.warnings.push_back(std::move(words));
  }
  const std::set<DeviceId> offline(preview.offline.begin(), preview.offline.end());
  const auto added = preview.sets.added_by(stage);
  const auto absent = std::count_if(added.begin(), added.end(),
                                    [&](const DeviceId& id) { return offline.contains(id); });
  if (absent > 0) {
    forecast.warnings.push_back(std::to_string(absent) + " device(s) are offline: skipped after " +
                                covey::to_string(plan.skip_after));
  }
  return forecast;
}

Status check_gates(const Plan& plan, const RolloutPreview& preview) {
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    const StageForecast forecast = forecast_stage(plan, preview, i);
    if (forecast.impossible.empty()) continue;
    return precondition("PLAN_CANNOT_DECIDE", fmt::format("stage {}: {}", plan.stages[i].name,
                                                          forecast.impossible.front()));
  }
  return {};
}

std::vector<std::string> plan_warnings(const Plan& plan, const RolloutPreview& preview) {
  std::vector<std::string> warnings;
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    for (const std::string& words : forecast_stage(plan, preview, i).warnings) {
      warnings.push_back(fmt::format("stage {}: {}", plan.stages[i].name, words));
    }
  }
  return warnings;
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

uint32_t count_received(const State& state, const RolloutName& rollout,
                        std::optional<uint32_t> stage, bool rollback) {
  uint32_t received = 0;
  const StateCounts counts = count_attempts(state, rollout, stage, rollback);
  if (const auto offered = counts.find("OFFERED"); offered != counts.end()) {
    received = offered->second;
  }
  const auto& unreceived = state.rollouts.unreceived_counts;
  for (auto it = unreceived.lower_bound({rollout, stage.value_or(0), false});
       it != unreceived.end(); ++it) {
    const auto& [name, of_stage, of_rollback] = it->first;
    if (name != rollout || (stage && of_stage != *stage)) break;
    if (of_rollback == rollback) received -= std::min(received, it->second);
  }
  return received;
}

bool UseQuestion::look(const State& state) {
  const auto see = [&](const DeviceId&, const Device& device) -> size_t {
    for (const auto& [name, model] : device.models) {
      if ((model_ && name != *model_) || !model.reported.confirmed) continue;
      const auto known = state.catalogue.artifacts.find(*model.reported.confirmed);
      if (known != state.catalogue.artifacts.end()) ++confirmed_[known->second.release];
    }
    return 1;
  };
  return devices_.advance(state.fleet.devices, kRecordsPerLook, see);
}

uint32_t UseQuestion::devices(const ReleaseId& release) const {
  const auto found = confirmed_.find(release);
  return found == confirmed_.end() ? 0 : found->second;
}

bool SiteQuestion::look(const State& state) {
  constexpr std::array kSteps{&SiteQuestion::look_at_devices, &SiteQuestion::look_at_rollouts,
                              &SiteQuestion::look_at_alerts, &SiteQuestion::look_at_totals};
  if ((this->*kSteps[step_])(state)) ++step_;
  return step_ == kSteps.size();
}

bool SiteQuestion::look_at_devices(const State& state) {
  const auto see = [&](const DeviceId& id, const Device& device) -> size_t {
    ++view_.devices[std::string(to_string(device.state))];
    if (is_online(state, id)) ++view_.online;
    if (device.state == DeviceState::kAccepted) ++view_.secrets[device.secret_number];
    for (const auto& [name, model] : device.models) {
      if (!model.reported.confirmed) continue;
      ++view_.models[name.str()][version_of(state, model.reported.confirmed)];
    }
    return 1;
  };
  return devices_.advance(state.fleet.devices, kRecordsPerLook, see);
}

bool SiteQuestion::look_at_rollouts(const State& state) {
  const auto see = [&](const RolloutName& name, const Rollout& rollout) -> size_t {
    ++view_.rollouts[std::string(to_string(rollout.progress.state))];
    if (!has_ended(rollout.progress.state)) view_.active.push_back(name);
    return 1;
  };
  return rollouts_.advance(state.rollouts.by_name, kRecordsPerLook, see);
}

bool SiteQuestion::look_at_alerts(const State& state) {
  const auto see = [&](const monitoring::AlertKey&, const monitoring::AlertTrack& track) -> size_t {
    if (track.newest && track.newest->state == monitoring::AlertState::kFiring) {
      ++view_.alerts_firing;
    }
    return 1;
  };
  return alerts_.advance(state.telemetry.alerts, kRecordsPerLook, see);
}

bool SiteQuestion::look_at_totals(const State& state) {
  const auto see = [&](const TotalKey&, const TotalRecord& total) -> size_t {
    view_.inferences += total.inferences;
    view_.windows_lost += total.windows_lost;
    return 1;
  };
  return totals_.advance(state.telemetry.totals, kRecordsPerLook, see);
}

SiteView view_site(const State& state) {
  SiteQuestion question;
  while (!question.look(state)) {
  }
  return question.view();
}

}  // namespace covey::engine
