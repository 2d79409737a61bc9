// SPDX-License-Identifier: Apache-2.0
// Questions about the state that need more than a look-up, each in one go: whoever asks for an
// operator asks in parts (questions.hpp). Pure; engine thread.
// Errors: NOT_FOUND, FILTER_INVALID and the plan's own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "deploy/rollout/order.hpp"
#include "gateway/engine/state.hpp"
#include "monitoring/drift/localise.hpp"

namespace covey::engine {

// ---- rollouts

struct RolloutPreview {
  StageSets sets;
  std::vector<Exclusion> excluded;  // sorted by device
  uint32_t matched = 0;             // accepted devices of the target
  std::vector<DeviceId> offline;    // in the order, but offline now
};
// Errors: RELEASE_NOT_FOUND, NO_DEVICES (the target matches none that can take it).
Result<RolloutPreview> preview_rollout(const State& state, const Plan& plan);
// How each gate of a stage will judge, in words; and what will make it hard.
struct StageForecast {
  std::vector<std::string> gates;
  std::vector<std::string> warnings;
  std::vector<std::string> impossible;  // gates that can never pass; among the warnings, too
};
StageForecast forecast_stage(const Plan& plan, const RolloutPreview& preview, size_t stage);
// Of all stages, each with its stage's name.
std::vector<std::string> plan_warnings(const Plan& plan, const RolloutPreview& preview);
// Error: PLAN_CANNOT_DECIDE, a stage has a gate that can never pass.
Status check_gates(const Plan& plan, const RolloutPreview& preview);

using StateCounts = std::map<std::string, uint32_t>;
// Newest attempt per device; nullopt: all stages.
StateCounts count_deployments(const State& state, const RolloutName& rollout,
                              std::optional<uint32_t> stage);
StateCounts count_rollbacks(const State& state, const RolloutName& rollout);
// Of those OFFERED: their devices have shown the goal.
uint32_t count_received(const State& state, const RolloutName& rollout,
                        std::optional<uint32_t> stage, bool rollback);

// ---- telemetry

struct Totals {
  std::map<std::pair<DeviceId, ReleaseId>, TotalRecord> devices;
  std::map<std::pair<std::string, std::string>, TotalRecord> cohorts;  // (release, cohort)
  uint64_t inferences = 0;
  uint64_t windows_lost = 0;
  uint64_t duplicates = 0;
  uint64_t quarantined = 0;
};
Totals count_inferences(const State& state, const ModelName& model);
// Of one device, per release that the gateway knows.
std::map<ReleaseId, TotalRecord> count_inferences(const State& state, const DeviceId& device);

struct HistogramView {
  std::string name;  // feature, or "classes"
  std::vector<int32_t> edges;
  std::vector<std::string> bin_names;
  monitoring::Counts baseline;
  monitoring::Counts now;
  SubjectVerdict verdict;
};
struct DriftView {
  ReleaseId release;
  std::vector<HistogramView> histograms;
  uint32_t devices = 0;
  uint64_t inferences = 0;
  Millis start{0};
  Millis end{0};
};
// The last `windows` closed windows of a release; nullopt: the one that most devices run. The
// verdict is the one that was given when the window closed and that alerts go by. What no window's
// verdict answers (several windows, a part of the fleet, a window that nobody judged) is judged
// now.
Result<DriftView> view_drift(const State& state, const EngineConfig& config, const ModelName& model,
                             std::optional<Version> version, const std::string& filter,
                             uint32_t windows);

struct AccuracyRow {
  ReleaseId release;
  std::string stratum;
  uint64_t labelled = 0;
  uint64_t correct = 0;
  uint64_t inferences = 0;
};
// Per release and value of the label `per` ("labels.KEY" or "": one row per release).
Result<std::vector<AccuracyRow>> count_accuracy(const State& state, const ModelName& model,
                                                const std::string& per);

// ---- site

struct SiteView {
  std::map<std::string, uint32_t> devices;  // by state
  uint32_t online = 0;
  std::map<uint32_t, uint32_t> secrets;                           // number -> accepted devices
  std::map<std::string, std::map<std::string, uint32_t>> models;  // model -> version -> devices
  std::map<std::string, uint32_t> rollouts;                       // by state
  std::vector<RolloutName> active;
  uint32_t alerts_firing = 0;
  uint64_t inferences = 0;
  uint64_t windows_lost = 0;
};
SiteView view_site(const State& state);

}  // namespace covey::engine
