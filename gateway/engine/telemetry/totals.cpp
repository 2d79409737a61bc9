// SPDX-License-Identifier: Apache-2.0
// Totals of a device, per release and cohort. They stay for ever, so there is a bounded number of
// them: cohorts of rollouts that are over become the fleet's, and releases that the gateway does
// not know share one row.
#include <algorithm>

#include "core/limits.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/settling.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

TotalUse* find_total(DeviceTelemetry& device, const Digest& manifest, const Cohort& cohort) {
  const auto found = std::ranges::find_if(device.totals, [&](const TotalUse& use) {
    return use.record->manifest == manifest && use.record->cohort == cohort;
  });
  return found == device.totals.end() ? nullptr : &*found;
}

bool is_known(const State& state, const Digest& manifest) {
  return state.catalogue.artifacts.contains(manifest);
}

// nullopt: the fleet's.
std::optional<RolloutName> rollout_of(const Cohort& cohort) {
  const size_t slash = cohort.text().find('/');
  if (slash == std::string::npos) return std::nullopt;
  return RolloutName(cohort.text().substr(0, slash));
}

// Gates ask for totals of rollouts that are not settled.
bool is_over(const State& state, const Cohort& cohort) {
  const std::optional<RolloutName> rollout = rollout_of(cohort);
  return rollout && !state.rollouts.attempts.contains(*rollout);
}

// Adds all that `which` holds for to another total of the device each: `to(record)`.
template <typename Which, typename To>
void fold(Turn& turn, const DeviceId& id, DeviceTelemetry& device, const Which& which,
          const To& to) {
  TelemetryState& telemetry = own_telemetry(turn);
  std::vector<TotalRecord> folded;
  std::erase_if(device.totals, [&](const TotalUse& use) {
    if (!which(*use.record)) return false;
    folded.push_back(*use.record);
    return true;
  });
  for (const TotalRecord& record : folded) {
    turn.write(RemoveTotal{id, record.manifest, record.cohort});
    telemetry.totals.erase({id, record.manifest, record.cohort});
  }
  for (const TotalRecord& record : folded) {
    const auto [manifest, cohort] = to(record);
    TotalUse* total = find_total(device, manifest, cohort);
    if (total == nullptr) total = &new_total(telemetry, device, id, manifest, cohort);
    add(*total->record, record);
    total->behind = true;
  }
}

// The row of no manifest is made first, so that there is always one to add to.
void fold_until_there_is_room(Turn& turn, const DeviceId& id, DeviceTelemetry& device) {
  const State& state = turn.state;
  fold(
      turn, id, device, [&](const TotalRecord& r) { return is_over(state, r.cohort); },
      [](const TotalRecord& r) { return std::pair(r.manifest, Cohort()); });
  if (device.totals.size() < kTotalsPerDeviceMax) return;
  const auto others = [](const TotalRecord&) { return std::pair(kOtherManifests, Cohort()); };
  fold(
      turn, id, device,
      [&](const TotalRecord& r) {
        return r.manifest != kOtherManifests && !is_known(state, r.manifest);
      },
      others);
  if (device.totals.size() < kTotalsPerDeviceMax) return;
  // Known releases by the dozen: only those of rollouts that go on are asked for one by one.
  fold(
      turn, id, device,
      [&](const TotalRecord& r) { return r.manifest != kOtherManifests && !rollout_of(r.cohort); },
      others);
}

}  // namespace

void add(TotalRecord& to, const TotalRecord& from) {
  to.inferences += from.inferences;
  to.windows += from.windows;
  to.windows_lost += from.windows_lost;
  to.errors += from.errors;
  to.duplicates += from.duplicates;
  to.quarantined += from.quarantined;
  to.energy_inferences += from.energy_inferences;
  to.energy_sum_uj = monitoring::add_saturating(to.energy_sum_uj, from.energy_sum_uj);
  monitoring::merge(to.health, from.health);
}

void make_room_for_total(Turn& turn, DeviceNumber number, const ReportRecord& row) {
  const State& state = turn.state;
  TelemetryState& telemetry = own_telemetry(turn);
  DeviceTelemetry& device = device_telemetry(telemetry, number);
  if (find_total(device, row.manifest, row.cohort) != nullptr) return;
  Digest manifest = row.manifest;
  Cohort cohort = row.cohort;
  if (!is_known(state, manifest)) {
    const auto unknown = std::ranges::count_if(device.totals, [&](const TotalUse& use) {
      return use.record->manifest != kOtherManifests && !is_known(state, use.record->manifest);
    });
    if (static_cast<size_t>(unknown) >= kUnknownTotalsMax) {
      manifest = kOtherManifests;
      cohort = Cohort();
    }
  }
  if (device.totals.size() >= kTotalsPerDeviceMax) {
    fold_until_there_is_room(turn, row.device, device);
    if (device.totals.size() >= kTotalsPerDeviceMax) {
      manifest = kOtherManifests;
      cohort = Cohort();
    }
  }
  if (find_total(device, manifest, cohort) == nullptr) {
    new_total(telemetry, device, row.device, manifest, cohort).behind = true;
  }
  settle(turn, number);
}

}  // namespace covey::engine
