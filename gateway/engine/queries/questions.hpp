// SPDX-License-Identifier: Apache-2.0
// Questions whose answers are found by looking at all of the fleet or its past, in parts: each
// look() sees some of the state, for some milliseconds at most, and says whether that was the last
// one. The state may change between two. The same question asked in one go: queries.hpp.
// look() on the engine thread; what else they have on any, by one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/engine/queries/cursor.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "monitoring/counts/baseline.hpp"

namespace covey::engine {

// What one look sees at most.
inline constexpr size_t kDevicesPerLook = 250;    // asked by a filter, the longest takes 15 us
inline constexpr size_t kRecordsPerLook = 1'000;  // counted together
inline constexpr size_t kAccuracyRowsMax = 5'000;

// What would be, if a rollout of this plan began.
class PreviewQuestion {
 public:
  // Errors: RELEASE_NOT_FOUND, NO_DEVICES (the target matches none that can take it).
  Result<bool> look(const State& state, const Plan& plan);
  // After the last look.
  RolloutPreview arrange(const Plan& plan) &&;

 private:
  Cursor<DeviceId> devices_;
  RolloutPreview preview_;
  std::vector<OrderedDevice> order_;
};

// How many devices have each release confirmed.
class UseQuestion {
 public:
  explicit UseQuestion(std::optional<ModelName> model) : model_(std::move(model)) {}
  bool look(const State& state);
  uint32_t devices(const ReleaseId& release) const;

 private:
  std::optional<ModelName> model_;  // none: of all models
  Cursor<DeviceId> devices_;
  std::map<ReleaseId, uint32_t> confirmed_;
};

class SiteQuestion {
 public:
  bool look(const State& state);
  const SiteView& view() const { return view_; }

 private:
  bool look_at_devices(const State& state);
  bool look_at_rollouts(const State& state);
  bool look_at_alerts(const State& state);
  bool look_at_totals(const State& state);

  Cursor<DeviceId> devices_;
  Cursor<RolloutName> rollouts_;
  Cursor<monitoring::AlertKey> alerts_;
  Cursor<TotalKey> totals_;
  uint8_t step_ = 0;
  SiteView view_;
};

// Everything from the beginning; or only the rows of the devices behind one. With `rows`: those of
// devices end with the one that has the last of so many.
class InferenceQuestion {
 public:
  explicit InferenceQuestion(ModelName model, size_t rows = SIZE_MAX,
                             const std::optional<DeviceId>& behind = std::nullopt);
  bool look(const State& state);
  const Totals& totals() const { return totals_; }
  // Behind whom there are more; none: there are none.
  const std::optional<DeviceId>& more_behind() const { return more_; }

 private:
  void add_row(const TotalRecord& record, const ReleaseId& release);
  void add_sums(const State& state, const TotalRecord& record);

  ModelName model_;
  size_t rows_;
  bool sums_;
  Cursor<TotalKey> cursor_;
  std::optional<DeviceId> last_;
  std::optional<DeviceId> more_;
  Totals totals_;
};

class AccuracyQuestion {
 public:
  AccuracyQuestion(ModelName model, std::string per)
      : model_(std::move(model)), per_(std::move(per)) {}
  // Errors: BAD_PER, TOO_MANY_ROWS.
  Result<bool> look(const State& state);
  std::vector<AccuracyRow> rows() &&;

 private:
  AccuracyRow* row(const State& state, const DeviceId& id, const Digest& manifest);

  ModelName model_;
  std::string per_;
  Cursor<std::pair<Digest, DeviceId>> tallies_;
  Cursor<TotalKey> totals_;
  bool tallied_ = false;
  std::map<std::pair<ReleaseId, std::string>, AccuracyRow> rows_;
};

class DriftQuestion {
 public:
  DriftQuestion(ModelName model, std::optional<Version> version, Filter filter, uint32_t windows)
      : model_(std::move(model)),
        version_(version),
        filter_(std::move(filter)),
        most_(std::max(1U, windows)) {}
  // Errors: NOT_FOUND, NO_DEVICE_RUNS_IT, NO_WINDOW.
  Result<bool> look(const State& state, const EngineConfig& config);
  // After the last look. Takes long where no verdict was stored: not on the engine thread.
  DriftView judge() &&;

 private:
  using DeviceWindows = std::map<DeviceId, monitoring::WindowCounts>;

  bool count_devices(const State& state);
  Status choose(const State& state, const EngineConfig& config);
  bool copy(const State& state);

  ModelName model_;
  std::optional<Version> version_;
  Filter filter_;
  uint32_t most_;
  Cursor<DeviceId> devices_;
  std::map<ReleaseId, size_t> used_;  // by how many devices
  // What is copied: windows by their keys, the first one being in progress.
  bool chosen_ = false;
  std::vector<WindowId> left_;
  Cursor<std::pair<DeviceId, Cohort>> cursor_;
  DeviceWindows counts_;
  monitoring::Baseline baseline_;
  std::optional<std::vector<SubjectVerdict>> said_;
  monitoring::DriftOptions drift_;
  monitoring::LocaliseOptions localise_;
  DriftView view_;
};

}  // namespace covey::engine
