// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/telemetry/settling.hpp"

#include <algorithm>

#include "core/limits.hpp"

#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"

namespace covey::engine {
namespace {

void write_windows(Turn& turn, const DeviceId& id, DeviceTelemetry& device) {
  for (WindowUse& use : device.windows) {
    if (!std::exchange(use.behind, false)) continue;
    --use.window->unsettled;
    turn.write(PutWindow{{.manifest = use.id.first,
                          .cohort = use.cohort,
                          .device = id,
                          .index = use.id.second,
                          .start = use.id.second * turn.config.window,
                          .length = turn.config.window,
                          .devices = 1,
                          .closed = use.window->closed,
                          .revised = use.revised,
                          .counts = *use.counts}});
  }
}

void write_device(Turn& turn, DeviceNumber number) {
  DeviceTelemetry& device = device_telemetry(own_telemetry(turn), number);
  device.settling = false;
  device.unsettled = 0;
  for (StreamUse& use : device.streams) {
    if (std::exchange(use.behind, false)) turn.write(PutStream{*use.record});
  }
  for (TotalUse& use : device.totals) {
    if (std::exchange(use.behind, false)) turn.write(PutTotal{*use.record});
  }
  write_windows(turn, turn.state.fleet.by_number[number]->id, device);
}

bool is_stale(const TelemetryState& telemetry, const Unsettled& entry) {
  return telemetry.devices[entry.device].unsettled != entry.position;
}

}  // namespace

DeviceTelemetry& device_telemetry(TelemetryState& telemetry, DeviceNumber number) {
  if (telemetry.devices.size() <= number) telemetry.devices.resize(size_t{number} + 1);
  return telemetry.devices[number];
}

StreamUse* find_stream(DeviceTelemetry& device, uint64_t boot_id, const Digest& manifest) {
  const auto found = std::ranges::find_if(device.streams, [&](const StreamUse& use) {
    return use.record->boot_id == boot_id && use.record->manifest == manifest;
  });
  return found == device.streams.end() ? nullptr : &*found;
}

TotalUse& total_of(TelemetryState& telemetry, DeviceTelemetry& device, const DeviceId& id,
                   const Digest& manifest, const Cohort& cohort) {
  const auto found = std::ranges::find_if(device.totals, [&](const TotalUse& use) {
    return use.record->manifest == manifest && use.record->cohort == cohort;
  });
  if (found != device.totals.end()) return *found;
  // make_room_for_total() has decided when the report came.
  const auto others = std::ranges::find_if(device.totals, [&](const TotalUse& use) {
    return use.record->manifest == kOtherManifests && use.record->cohort == Cohort();
  });
  if (others != device.totals.end()) return *others;
  return new_total(telemetry, device, id, manifest, cohort);
}

TotalUse& new_total(TelemetryState& telemetry, DeviceTelemetry& device, const DeviceId& id,
                    const Digest& manifest, const Cohort& cohort) {
  TotalRecord& record = telemetry.totals[{id, manifest, cohort}];
  record.device = id;
  record.manifest = manifest;
  record.cohort = cohort;
  return device.totals.emplace_back(TotalUse{.record = &record});
}

WindowUse& window_of(TelemetryState& telemetry, DeviceTelemetry& device, const DeviceId& id,
                     const WindowId& window, const Cohort& cohort) {
  if (device.windows_forgotten != telemetry.windows_forgotten) {
    // Some window is gone; what is behind keeps its own.
    std::erase_if(device.windows, [](const WindowUse& use) { return !use.behind; });
    device.windows_forgotten = telemetry.windows_forgotten;
  }
  const auto found = std::ranges::find_if(device.windows, [&](const WindowUse& use) {
    return use.id == window && use.cohort == cohort;
  });
  if (found != device.windows.end()) return *found;
  OpenWindow& open = telemetry.windows[window];
  const auto [counts, sums] = open.entry(id, cohort);
  return device.windows.emplace_back(
      WindowUse{.id = window, .cohort = cohort, .window = &open, .counts = counts, .sums = sums});
}

WindowUse* count_report(TelemetryState& telemetry, DeviceTelemetry& device, const ReportRecord& row,
                        const ReportMessage& report, bool quarantined, uint64_t lost,
                        Millis window_length) {
  TotalUse& total = total_of(telemetry, device, row.device, row.manifest, row.cohort);
  total.behind = true;
  TotalRecord& sums = *total.record;
  sums.windows_lost += lost;
  if (quarantined) {
    ++sums.quarantined;
    return nullptr;
  }
  ++sums.windows;
  sums.inferences += report.counts.inferences;
  sums.errors += report.counts.errors;
  sums.energy_inferences += monitoring::total(report.counts.energy);
  sums.energy_sum_uj = monitoring::add_saturating(sums.energy_sum_uj, report.counts.energy_sum_uj);
  monitoring::merge(sums.health, report.counts.health);
  if (!row.placed) return nullptr;
  WindowUse& use = window_of(telemetry, device, row.device,
                             {row.manifest, *row.placed / window_length}, row.cohort);
  monitoring::merge(*use.counts, report.counts);
  monitoring::merge(use.sums->counts, report.counts);
  if (!std::exchange(use.behind, true)) ++use.window->unsettled;
  return &use;
}

monitoring::Admission admit(monitoring::StreamWatermark& mark, const ReportMessage& report,
                            bool checked) {
  const monitoring::WindowNumber number{
      .seq = report.sequence,
      .base_seq = report.base_sequence,
      .inferences_before = report.inferences_total - report.counts.inferences,
      .inferences = report.counts.inferences};
  return checked ? monitoring::accept(mark, number) : monitoring::quarantine(mark, number);
}

void fall_behind(TelemetryState& telemetry, DeviceNumber number, uint64_t position, Millis since) {
  DeviceTelemetry& device = device_telemetry(telemetry, number);
  if (device.unsettled != 0) return;
  device.unsettled = position;
  telemetry.unsettled.push_back({position, since, number});
}

void settle(Turn& turn, DeviceNumber number) {
  DeviceTelemetry& device = device_telemetry(own_telemetry(turn), number);
  if (!std::exchange(device.settling, true)) turn.telemetry_rows.devices.push_back(number);
}

void settle_some(Turn& turn) {
  TelemetryState& telemetry = own_telemetry(turn);
  for (size_t n = 0; n < kDevicesSettledPerTick && !telemetry.unsettled.empty(); ++n) {
    const Unsettled& oldest = telemetry.unsettled.front();
    if (!is_stale(telemetry, oldest)) {
      const uint64_t behind = turn.state.site.report_sequence - oldest.position;
      if (turn.now.mono - oldest.since < kSettleAfter && behind < kUnsettledMax) return;
      settle(turn, oldest.device);
    }
    telemetry.unsettled.pop_front();
  }
}

uint64_t settled_reports(const State& state) {
  for (const Unsettled& entry : state.telemetry.unsettled) {
    if (!is_stale(state.telemetry, entry)) return entry.position - 1;
  }
  return state.site.report_sequence;
}

void write_telemetry(Turn& turn) {
  for (const DeviceNumber number : turn.telemetry_rows.devices) write_device(turn, number);
  for (const WindowId& id : turn.telemetry_rows.revised) {
    write_cohorts(turn, id, turn.state.telemetry.windows.at(id), true);
  }
  write_tallies(turn);
  std::deque<Unsettled>& unsettled = own_telemetry(turn).unsettled;
  while (!unsettled.empty() && is_stale(turn.state.telemetry, unsettled.front())) {
    unsettled.pop_front();
  }
}

void forget_device(Turn& turn, DeviceNumber number, const DeviceId& id) {
  TelemetryState& telemetry = own_telemetry(turn);
  if (number < telemetry.devices.size()) {
    write_device(turn, number);  // its windows stay, and say what they counted
    std::erase(turn.telemetry_rows.devices, number);
    telemetry.devices[number] = {};
  }
  const auto of_device = [&](auto& rows, auto first) {
    while (first != rows.end() && std::get<0>(first->first) == id) first = rows.erase(first);
  };
  of_device(telemetry.streams, telemetry.streams.lower_bound({id, 0, Digest{}}));
  of_device(telemetry.totals, telemetry.totals.lower_bound({id, Digest{}, Cohort()}));
  of_device(telemetry.recent.samples, telemetry.recent.samples.lower_bound({id, 0, 0}));
  of_device(telemetry.recent.labels, telemetry.recent.labels.lower_bound({id, 0, 0}));
  auto& waiting = telemetry.waiting;
  for (auto next = waiting.by_key.lower_bound({id, 0, 0});
       next != waiting.by_key.end() && std::get<0>(next->first) == id;) {
    waiting.by_order.erase(next->second.order);
    next = waiting.by_key.erase(next);
  }
  if (turn.state.fleet.devices.at(id).boot_id == 0) return;  // it never said a word
  std::erase_if(telemetry.tally, [&](const auto& entry) { return entry.first.second == id; });
  std::erase_if(turn.telemetry_rows.tallies,
                [&](const auto& key) { return std::get<DeviceId>(key) == id; });
}

void replay_report(State& state, const EngineConfig& config, Millis now, const ReportRecord& row,
                   const ReportMessage& report) {
  const std::optional<DeviceNumber> number = state.fleet.number_of(row.device);
  if (!number) return;
  DeviceTelemetry& device = device_telemetry(state.telemetry, *number);
  StreamUse* const stream = find_stream(device, row.boot_id, row.manifest);
  // Its boot was forgotten since, perhaps heard again: then everything had been settled.
  if (stream == nullptr || row.position < stream->record->order) return;
  monitoring::StreamWatermark mark = stream->record->mark;
  const monitoring::Admission admission = admit(mark, report, row.checked);
  const bool contradicts = admission == monitoring::Admission::kContradiction;
  if (admission != monitoring::Admission::kNew && !contradicts) return;  // the rows have it
  const uint64_t lost = mark.lost_windows - stream->record->mark.lost_windows;
  stream->record->mark = std::move(mark);
  stream->behind = true;
  ReportRecord placed{
      .device = row.device, .manifest = row.manifest, .cohort = row.cohort, .placed = row.placed};
  // Rows of before this was looked at when a report came.
  if (placed.placed > row.wall + kClockSlack) placed.placed.reset();
  count_report(state.telemetry, device, placed, report, contradicts || !row.checked, lost,
               config.window);
  fall_behind(state.telemetry, *number, row.position, now);
}

}  // namespace covey::engine
