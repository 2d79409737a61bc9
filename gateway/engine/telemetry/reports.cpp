// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/limits.hpp"
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
  if (digest.is_zero()) digest.bytes.back() = 1;  // the zero one means something here
  return digest;
}

// The stream of a boot that was forgotten: no manifest has this digest.
constexpr Digest kTombstone{};
bool is_tombstone(const StreamUse& use) { return use.record->manifest == kTombstone; }

template <typename Which>
void forget_streams(Turn& turn, const Device& device, DeviceTelemetry& known, const Which& which) {
  std::erase_if(known.streams, [&](const StreamUse& use) {
    if (!which(use)) return false;
    const StreamKey key{device.id, use.record->boot_id, use.record->manifest};
    turn.write(RemoveStream{device.id, use.record->boot_id, use.record->manifest});
    own_telemetry(turn).streams.erase(key);
    return true;
  });
}

StreamUse& add_stream(Turn& turn, const Device& device, DeviceTelemetry& known, uint64_t boot_id,
                      const Digest& manifest) {
  StreamRecord record{.device = device.id,
                      .boot_id = boot_id,
                      .manifest = manifest,
                      .mark = {},
                      .order = turn.state.site.report_sequence + 1};
  StreamRecord& kept =
      own_telemetry(turn)
          .streams.insert_or_assign(StreamKey{device.id, boot_id, manifest}, std::move(record))
          .first->second;
  return known.streams.emplace_back(StreamUse{.record = &kept, .behind = true});
}

// The boot of a device that was first heard of longest ago goes, with its streams. The one that
// runs stays, however many earlier ones still have something to say.
void forget_a_boot(Turn& turn, const Device& device, DeviceTelemetry& known) {
  std::map<uint64_t, uint64_t> boots;  // boot -> newest order
  for (const StreamUse& use : known.streams) {
    if (is_tombstone(use)) continue;
    const bool runs = use.record->boot_id == device.boot_id;
    uint64_t& order = boots[use.record->boot_id];
    order = runs ? ~uint64_t{0} : std::max(order, use.record->order);
  }
  const uint64_t oldest =
      std::ranges::min_element(boots, {}, [](const auto& boot) { return boot.second; })->first;
  forget_streams(turn, device, known, [&](const StreamUse& use) {
    return use.record->boot_id == oldest && !is_tombstone(use);
  });
  // What it sent must not count again: its number stays for a while.
  std::vector<const StreamUse*> tombstones;
  for (const StreamUse& use : known.streams) {
    if (is_tombstone(use)) tombstones.push_back(&use);
  }
  if (tombstones.size() >= kForgottenBootsMax) {
    const StreamUse* const first = *std::ranges::min_element(
        tombstones, {}, [](const StreamUse* use) { return use->record->order; });
    const uint64_t boot_id = first->record->boot_id;
    forget_streams(turn, device, known, [&](const StreamUse& use) {
      return use.record->boot_id == boot_id && is_tombstone(use);
    });
  }
  add_stream(turn, device, known, oldest, kTombstone);
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
    if (is_tombstone(use)) continue;
    boots.insert(use.record->boot_id);
    if (use.record->boot_id == boot_id) ++of_boot;
  }
  if (of_boot >= kStreamsPerBootMax) return nullptr;
  if (of_boot == 0 && boots.size() >= kBootsPerDeviceMax) forget_a_boot(turn, device, known);
  StreamUse& added = add_stream(turn, device, known, boot_id, manifest);
  settle(turn, number);
  return &added;
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
  bool sure = true;     // else it is of some time that the gateway can't know
  bool future = false;  // it would be of a time that has not been: its uptime is no clock
};

Placing placing_of(const Turn& turn, const Session& session, const ReportMessage& report) {
  const std::optional<Millis> known = offset_of(session, report.boot_id);
  // The latest that it can be. With a boot's offset known, another boot's report is of some earlier
  // time.
  const Millis latest = turn.now.wall - Millis{report.t1_ms};
  if (known && *known > latest + kClockSlack) {
    return {.offset = latest, .sure = false, .future = true};
  }
  return {.offset = std::min(known.value_or(latest), latest), .sure = known || !session.offset};
}

// What was merged over more than two regular windows has lost its time, as has a report of a boot
// that the gateway did not meet: cumulative views only. Never later than now.
std::optional<Millis> place_in_window(const Turn& turn, const Placing& placing,
                                      const ReportMessage& report) {
  const Millis middle = placing.offset + Millis{report.t0_ms + (report.t1_ms - report.t0_ms) / 2};
  const int64_t oldest = turn.now.wall / turn.config.window - turn.config.windows_kept;
  const bool kept = placing.sure && report.merged <= 2 && middle / turn.config.window >= oldest;
  return kept && report.counts.inferences > 0 ? std::optional(middle) : std::nullopt;
}

// No core makes more of them in that time.
bool possible_in_its_time(const ReportMessage& report) {
  constexpr uint64_t kSlackMs = 1'000;
  const uint64_t span = report.t1_ms - report.t0_ms + kSlackMs;
  return report.counts.inferences / kInferencesPerMsMax <= span;
}

void add_samples(Turn& turn, const ReportRecord& row, const ReportMessage& report, Millis offset) {
  for (const SampleMessage& sample : report.samples) {
    // It lies within its report, and so never after now.
    const uint64_t uptime = std::clamp(sample.uptime_ms, report.t0_ms, report.t1_ms);
    add_sample(turn, {.device = row.device,
                      .boot_id = row.boot_id,
                      .inference = sample.inference,
                      .manifest = row.manifest,
                      .cohort = row.cohort,
                      .predicted = sample.predicted,
                      .confidence = sample.confidence,
                      .probability = sample.probability,
                      .at = offset + Millis{uptime},
                      .wall = row.wall});
  }
}

// It says nothing new, but its mark may have moved: no row of the log would replay that.
void on_duplicate(Turn& turn, DeviceNumber number, StreamUse& stream, const ReportRecord& row,
                  uint64_t lost) {
  TelemetryState& telemetry = own_telemetry(turn);
  make_room_for_total(turn, number, row);
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
  make_room_for_total(turn, number, row);
  stream.behind = true;
  // What nobody can interpret is kept for people to look at, as far as the device's share goes.
  if (quarantined && !spend(turn, number, Spend::kRawBytes, row.payload.size())) {
    count_report(telemetry, device_telemetry(telemetry, number), row, report, true, lost,
                 turn.config.window);
    return settle(turn, number);
  }
  row.position = turn.number_report();
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

// Its reports were counted, or lost: the device must stop repeating them.
void on_forgotten_boot(Turn& turn, const Device& device, const ReportMessage& report) {
  turn.drop(Drop::kReportDuplicate);
  AckMessage ack{
      .boot_id = report.boot_id, .credit = turn.config.report_credit, .reports_only = true};
  ack.streams.push_back({report.manifest, report.sequence, 0});
  turn.emit(PublishAck{device.id, device.shard, std::move(ack), order_key(turn.state, device)});
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
  if (find_stream(device_telemetry(own_telemetry(turn), number), report.boot_id, kTombstone) !=
      nullptr) {
    return on_forgotten_boot(turn, device, report);
  }
  StreamUse* const stream = stream_of(turn, device, number, report.boot_id, manifest);
  if (stream == nullptr) return turn.drop(Drop::kReportInvalid);
  // Acknowledged whatever comes of it, or the device would repeat it for ever.
  stream->heard = true;
  const auto known = state.catalogue.artifacts.find(manifest);
  const bool is_known = known != state.catalogue.artifacts.end();
  if (!is_known) turn.drop(Drop::kUnknownManifest);
  const Placing placing = placing_of(turn, session, report);
  if (placing.future) turn.drop(Drop::kReportFuture);
  ReportRecord row{.device = device.id,
                   .boot_id = report.boot_id,
                   .manifest = manifest,
                   .sequence = report.sequence,
                   .wall = turn.now.wall,
                   .cohort = cohort_of(state, device, manifest),
                   .placed = place_in_window(turn, placing, report),
                   .checked = is_known && report.unknown_bytes <= kUnknownBytesMax &&
                              possible_in_its_time(report) &&
                              monitoring::check(report.counts, known->second.shape).ok(),
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
