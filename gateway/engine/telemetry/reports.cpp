#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
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

// nullptr: a boot has not that many.
StreamRecord* stream(Turn& turn, const Device& device, uint64_t boot_id, const Digest& manifest) {
  State& state = turn.state;
  const StreamKey key{device.id, boot_id, manifest};
  const auto found = state.telemetry.streams.find(key);
  if (found != state.telemetry.streams.end()) return &found->second;
  // Keep the last boots only: the one that was first heard of longest ago is forgotten. The boot
  // that runs stays, however many earlier ones still have something to say.
  std::map<uint64_t, uint64_t> boots;  // boot -> newest order
  size_t of_boot = 0;
  const auto begin = state.telemetry.streams.lower_bound({device.id, 0, Digest{}});
  for (auto it = begin; it != state.telemetry.streams.end() && std::get<0>(it->first) == device.id;
       ++it) {
    const bool runs = std::get<1>(it->first) == device.boot_id;
    if (std::get<1>(it->first) == boot_id) ++of_boot;
    uint64_t& order = boots[std::get<1>(it->first)];
    order = runs ? ~uint64_t{0} : std::max(order, it->second.order);
  }
  if (of_boot >= kStreamsPerBootMax) return nullptr;
  if (!boots.contains(boot_id) && boots.size() >= kBootsPerDeviceMax) {
    const auto oldest =
        std::min_element(boots.begin(), boots.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    for (auto it = state.telemetry.streams.lower_bound({device.id, oldest->first, Digest{}});
         it != state.telemetry.streams.end() && std::get<0>(it->first) == device.id &&
         std::get<1>(it->first) == oldest->first;) {
      turn.write(RemoveStream{device.id, oldest->first, it->second.manifest});
      turn.telemetry_rows.streams.erase(it->first);
      state.telemetry.streams_heard.erase(it->first);
      it = state.telemetry.streams.erase(it);
    }
  }
  StreamRecord record{.device = device.id,
                      .boot_id = boot_id,
                      .manifest = manifest,
                      .mark = {},
                      .order = ++state.telemetry.stream_order};
  return &state.telemetry.streams.emplace(key, std::move(record)).first->second;
}

TotalRecord& total(Turn& turn, const Device& device, const Digest& manifest, const Cohort& cohort) {
  const TotalKey key{device.id, manifest, cohort};
  turn.telemetry_rows.totals.insert(key);
  TotalRecord& record = turn.state.telemetry.totals[key];
  record.device = device.id;
  record.manifest = manifest;
  record.cohort = cohort;
  return record;
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

void on_report(Turn& turn, Device& device, const ReportMessage& report, Bytes payload) {
  State& state = turn.state;
  Session& session = change_session(turn, device.id);
  session.last_heard = turn.now.mono;
  session.last_heard_wall = turn.now.wall;
  session.last_report_observed = state.site.observed;
  ++turn.counters().reports;
  state.fleet.ack_due.insert(device.id);
  if (!plausible(report)) return turn.drop(Drop::kReportInvalid);

  const Digest manifest = manifest_of(state, report.manifest);
  const auto known = state.catalogue.artifacts.find(manifest);
  const Cohort cohort = cohort_of(state, device, manifest);
  const StreamKey key{device.id, report.boot_id, manifest};
  StreamRecord* const found = stream(turn, device, report.boot_id, manifest);
  if (found == nullptr) return turn.drop(Drop::kReportInvalid);
  StreamRecord& record = *found;
  // Acknowledged whatever comes of it, or the device would repeat it for ever.
  state.telemetry.streams_heard.insert(key);
  const monitoring::WindowNumber number{
      .seq = report.sequence,
      .base_seq = report.base_sequence,
      .inferences_before = report.inferences_total - report.counts.inferences,
      .inferences = report.counts.inferences};
  const uint64_t lost_before = record.mark.lost_windows;
  const monitoring::StreamWatermark mark_before = record.mark;

  monitoring::Admission admission = monitoring::Admission::kInvalid;
  bool quarantined = true;
  if (known == state.catalogue.artifacts.end()) {
    turn.drop(Drop::kUnknownManifest);
    admission = monitoring::quarantine(record.mark, number);
  } else if (!monitoring::check(report.counts, known->second.shape)) {
    admission = monitoring::quarantine(record.mark, number);
  } else {
    admission = monitoring::accept(record.mark, number);
    quarantined = admission == monitoring::Admission::kContradiction;
  }
  if (!(record.mark == mark_before)) turn.telemetry_rows.streams.insert(key);
  const uint64_t lost_now = record.mark.lost_windows;
  if (lost_now != lost_before) {
    TotalRecord& sums = total(turn, device, manifest, cohort);
    // A gap that is filled late takes the loss back.
    sums.windows_lost = sums.windows_lost + lost_now - lost_before;
  }

  switch (admission) {
    case monitoring::Admission::kDuplicate:
      ++total(turn, device, manifest, cohort).duplicates;
      return turn.drop(Drop::kReportDuplicate);
    case monitoring::Admission::kTooOld:
      return turn.drop(Drop::kReportDuplicate);
    case monitoring::Admission::kInvalid:
      return turn.drop(Drop::kReportInvalid);
    case monitoring::Admission::kContradiction:
    case monitoring::Admission::kNew:
      break;
  }
  turn.write(AppendReport{{.device = device.id,
                           .boot_id = report.boot_id,
                           .manifest = manifest,
                           .sequence = report.sequence,
                           .wall = turn.now.wall,
                           .payload = std::move(payload)}});
  TotalRecord& sums = total(turn, device, manifest, cohort);
  if (quarantined) {
    ++sums.quarantined;
    return turn.drop(Drop::kReportQuarantined);
  }
  ++sums.windows;
  sums.inferences += report.counts.inferences;
  sums.errors += report.counts.errors;
  sums.energy_inferences += monitoring::total(report.counts.energy);
  sums.energy_sum_uj = monitoring::add_saturating(sums.energy_sum_uj, report.counts.energy_sum_uj);
  monitoring::merge(sums.health, report.counts.health);

  const std::optional<Millis> known_offset = offset_of(session, report.boot_id);
  // The latest that it can be.
  const Millis offset = known_offset.value_or(turn.now.wall - Millis{report.t1_ms});
  // With a boot's offset known, another boot's report is of some earlier time.
  const bool placed = known_offset || !session.offset;
  if (placed) {
    session.reported_until = std::max(session.reported_until, offset + Millis{report.t1_ms});
  }
  const auto window_at = [&](uint64_t uptime_ms) {
    return (offset + Millis{uptime_ms}) / turn.config.window;
  };
  // What was merged over more than two regular windows has lost its time, as has a report of a boot
  // that the gateway did not meet: cumulative views only.
  const int64_t index = window_at(report.t0_ms + (report.t1_ms - report.t0_ms) / 2);
  const int64_t oldest = turn.now.wall / turn.config.window - turn.config.windows_kept;
  if (placed && report.merged <= 2 && index >= oldest && report.counts.inferences > 0) {
    OpenWindow& window = state.telemetry.windows[{manifest, index}];
    if (window.closed) ++turn.counters().windows_late;
    window.add(device.id, cohort, report.counts);
    turn.telemetry_rows.windows.insert({manifest, index, device.id, cohort});
  } else if (report.counts.inferences > 0) {
    ++turn.counters().windows_late;
  }
  for (const SampleMessage& sample : report.samples) {
    add_sample(turn, {.device = device.id,
                      .boot_id = report.boot_id,
                      .inference = sample.inference,
                      .manifest = manifest,
                      .cohort = cohort,
                      .predicted = sample.predicted,
                      .confidence = sample.confidence,
                      .probability = sample.probability,
                      .window = window_at(sample.uptime_ms),
                      .start = window_at(sample.uptime_ms) * turn.config.window});
  }
}

}  // namespace covey::engine
