// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/settling.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// Manifest of a prefix; unknown ones get a digest of their own, so that their streams are kept
// apart.
Digest manifest_of(const State& state, const Prefix& prefix) {
  const auto known = state.catalogue.prefixes.find(prefix);
  if (known != state.catalogue.prefixes.end()) return known->second;
  Digest digest;
  std::copy(prefix.begin(), prefix.end(), digest.bytes.begin());
  return digest;
}

// The boot of a device that was first heard of longest ago goes, with its streams. The one that
// runs stays, however many earlier ones still have something to say.
void forget_a_boot(Turn& turn, const Device& device, DeviceTelemetry& known) {
  std::map<uint64_t, uint64_t> boots;  // boot -> newest order
  for (const StreamUse& use : known.streams) {
    const bool runs = use.record->boot_id == device.boot_id;
    uint64_t& order = boots[use.record->boot_id];
    order = runs ? ~uint64_t{0} : std::max(order, use.record->order);
  }
  const uint64_t oldest =
      std::ranges::min_element(boots, {}, [](const auto& boot) { return boot.second; })->first;
  TelemetryState& telemetry = own_telemetry(turn);
  std::erase_if(known.streams, [&](const StreamUse& use) {
    if (use.record->boot_id != oldest) return false;
    const StreamKey key{device.id, oldest, use.record->manifest};
    turn.write(RemoveStream{device.id, oldest, use.record->manifest});
    telemetry.streams.erase(key);
    return true;
  });
}

// nullptr: a boot has not that many.
StreamUse* stream_of(Turn& turn, const Device& device, DeviceNumber number, uint64_t boot_id,
                     const Digest& manifest) {
  TelemetryState& telemetry = own_telemetry(turn);
  DeviceTelemetry& known = device_telemetry(telemetry, number);
  if (StreamUse* const found = find_stream(known, boot_id, manifest)) return found;
  std::set<uint64_t> boots;
  size_t of_boot = 0;
  for (const StreamUse& use : known.streams) {
    boots.insert(use.record->boot_id);
    if (use.record->boot_id == boot_id) ++of_boot;
  }
  if (of_boot >= kStreamsPerBootMax) return nullptr;
  if (of_boot == 0 && boots.size() >= kBootsPerDeviceMax) forget_a_boot(turn, device, known);
  StreamRecord record{.device = device.id,
                      .boot_id = boot_id,
                      .manifest = manifest,
                      .mark = {},
                      .order = turn.state.site.report_sequence + 1};
  StreamRecord& kept =
      telemetry.streams.emplace(StreamKey{device.id, boot_id, manifest}, std::move(record))
          .first->second;
  settle(turn, number);
  return &known.streams.emplace_back(StreamUse{.record = &kept, .behind = true});
}

// Numbers that no device sends; checked before anything is believed.
bool plausible(const ReportMessage& report) {
  return report.sequence > 0 && report.base_sequence > 0 &&
         report.base_sequence <= report.sequence && report.t0_ms <= report.t1_ms &&
         report.merged > 0 && report.inferences_total >= report.counts.inferences;
}

std::optional<Millis> offset_of(const Session& session, uint64_t boot_id) {
  for (const auto* boot : {&session.offset, &session.offset_before}) {
    if (*boot && (*boot)->boot_id == boot_id) return (*boot)->offset;
  }
  return std::nullopt;
}

}  // namespace

Cohort cohort_of(const State& state, const Device& device, const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  if (known == state.catalogue.artifacts.end()) return {};
  const Rollout* open = open_rollout_of(state, device.id, known->second.release.model);
  if (open == nullptr) return {};
  const RolloutName& name = open->plan->name;
  const bool offered = state.rollouts.attempts.at(name).rollout.newest.contains(device.id);
  return open->plan->rules.release == known->second.release && offered ? Cohort::canary(name)
                                                                       : Cohort::control(name);
}

namespace {

// Where a report's uptime lies on the wall.
struct Placing {
  Millis offset{0};
  bool sure = true;  // else it is of some time that the gateway can't know
};

Placing placing_of(const Turn& turn, const Session& session, const ReportMessage& report) {
  const std::optional<Millis> known = offset_of(session, report.boot_id);
  // The latest that it can be. With a boot's offset known, another boot's report is of some earlier
  // time.
  return {.offset = known.value_or(turn.now.wall - Millis{report.t1_ms}),
          .sure = known || !session.offset};
}

// What was merged over more than two regular windows has lost its time, as has a report of a boot
// that the gateway did not meet: cumulative views only.
std::optional<Millis> place_in_window(const Turn& turn, const Placing& placing,
                                      const ReportMessage& report) {
  const Millis middle = placing.offset + Millis{report.t0_ms + (report.t1_ms - report.t0_ms) / 2};
  const int64_t oldest = turn.now.wall / turn.config.window - turn.config.windows_kept;
  const bool kept = placing.sure && report.merged <= 2 && middle / turn.config.window >= oldest;
  return kept && report.counts.inferences > 0 ? std::optional(middle) : std::nullopt;
}

void add_samples(Turn& turn, const ReportRecord& row, const ReportMessage& report, Millis offset) {
  for (const SampleMessage& sample : report.samples) {
    const int64_t window = (offset + Millis{sample.uptime_ms}) / turn.config.window;
    add_sample(turn, {.device = row.device,
                      .boot_id = row.boot_id,
                      .inference = sample.inference,
                      .manifest = row.manifest,
                      .cohort = row.cohort,
                      .predicted = sample.predicted,
                      .confidence = sample.confidence,
                      .probability = sample.probability,
                      .window = window,
                      .start = window * turn.config.window});
  }
}

// It says nothing new, but its mark may have moved: no row of the log would replay that.
void on_duplicate(Turn& turn, DeviceNumber number, StreamUse& stream, const ReportRecord& row,
                  uint64_t lost) {
  TelemetryState& telemetry = own_telemetry(turn);
  TotalUse& total = total_of(telemetry, device_telemetry(telemetry, number), row.device,
                             row.manifest, row.cohort);
  ++total.record->duplicates;
  total.record->windows_lost += lost;
  total.behind = true;
  stream.behind = true;
  settle(turn, number);
  turn.drop(Drop::kReportDuplicate);
}

// A row of the log, and what it adds.
void take_report(Turn& turn, DeviceNumber number, StreamUse& stream, ReportRecord row,
                 const ReportMessage& report, bool quarantined, uint64_t lost) {
  TelemetryState& telemetry = own_telemetry(turn);
  row.position = turn.number_report();
  stream.behind = true;
  WindowUse* const window = count_report(telemetry, device_telemetry(telemetry, number), row,
                                         report, quarantined, lost, turn.config.window);
  fall_behind(telemetry, number, row.position, turn.now.mono);
  if (window != nullptr && window->window->closed) {
    ++turn.counters().windows_late;
    window->revised = true;
    turn.telemetry_rows.revised.insert(window->id);
    settle(turn, number);
  } else if (!quarantined && window == nullptr && report.counts.inferences > 0) {
    ++turn.counters().windows_late;
  }
  turn.write(AppendReport{std::move(row)});
}

}  // namespace

void on_report(Turn& turn, DeviceNumber number, const ReportMessage& report, Bytes payload) {
  const State& state = turn.state;
  const Device& device = *state.fleet.by_number[number];
  Session& session = change_session(turn, number);
  session.last_heard = turn.now.mono;
  session.last_heard_wall = turn.now.wall;
  session.last_report_observed = state.site.observed;
  ++turn.counters().reports;
  acknowledge_report(turn, number);
  if (!plausible(report)) return turn.drop(Drop::kReportInvalid);

  const Digest manifest = manifest_of(state, report.manifest);
  StreamUse* const stream = stream_of(turn, device, number, report.boot_id, manifest);
  if (stream == nullptr) return turn.drop(Drop::kReportInvalid);
  // Acknowledged whatever comes of it, or the device would repeat it for ever.
  stream->heard = true;
  const auto known = state.catalogue.artifacts.find(manifest);
  const bool is_known = known != state.catalogue.artifacts.end();
  if (!is_known) turn.drop(Drop::kUnknownManifest);
  const Placing placing = placing_of(turn, session, report);
  ReportRecord row{
      .device = device.id,
      .boot_id = report.boot_id,
      .manifest = manifest,
      .sequence = report.sequence,
      .wall = turn.now.wall,
      .cohort = cohort_of(state, device, manifest),
      .placed = place_in_window(turn, placing, report),
      .checked = is_known && monitoring::check(report.counts, known->second.shape).ok(),
      .payload = std::move(payload)};
  const uint64_t lost_before = stream->record->mark.lost_windows;
  const monitoring::Admission admission = admit(stream->record->mark, report, row.checked);
  // A gap that is filled late takes the loss back.
  const uint64_t lost = stream->record->mark.lost_windows - lost_before;
  switch (admission) {
    case monitoring::Admission::kDuplicate:
      return on_duplicate(turn, number, *stream, row, lost);
    case monitoring::Admission::kTooOld:
      return turn.drop(Drop::kReportDuplicate);
    case monitoring::Admission::kInvalid:
      return turn.drop(Drop::kReportInvalid);
    case monitoring::Admission::kContradiction:
    case monitoring::Admission::kNew:
      break;
  }
  const bool quarantined = !row.checked || admission == monitoring::Admission::kContradiction;
  if (quarantined) {
    turn.drop(Drop::kReportQuarantined);
  } else if (placing.sure) {
    session.reported_until =
        std::max(session.reported_until, placing.offset + Millis{report.t1_ms});
  }
  if (!quarantined) add_samples(turn, row, report, placing.offset);
  take_report(turn, number, *stream, std::move(row), report, quarantined, lost);
}

}  // namespace covey::engine
