// SPDX-License-Identifier: Apache-2.0
// Columns of streams, totals, windows, samples, labels, reports and alerts.
#pragma once

#include "core/fields.hpp"
#include "storage/records.hpp"

namespace covey::rows {

constexpr const char* table_name(const StreamRecord&) { return "streams"; }
void columns(auto& visit, Like<StreamRecord> auto& r) {
  visit.key("device", r.device);
  visit.key("boot_id", r.boot_id);
  visit.key("manifest", r.manifest);
  visit("first_report", r.order);
  visit("cumulative", r.mark.cumulative);
  visit("bitmap", r.mark.bitmap);
  visit("gaps", r.mark.gaps);
  visit("lost_windows", r.mark.lost_windows);
  visit("quarantined_windows", r.mark.quarantined_windows);
  visit("received_windows", r.mark.received_windows);
  visit("counted_inferences", r.mark.counted_inferences);
  visit("reached_inferences", r.mark.reached_inferences);
}

constexpr const char* table_name(const TotalRecord&) { return "totals"; }
void columns(auto& visit, Like<TotalRecord> auto& r) {
  visit.key("device", r.device);
  visit.key("manifest", r.manifest);
  visit.key("cohort", r.cohort);
  visit("inferences", r.inferences);
  visit("windows", r.windows);
  visit("windows_lost", r.windows_lost);
  visit("errors", r.errors);
  visit("duplicates", r.duplicates);
  visit("quarantined", r.quarantined);
  visit("energy_inferences", r.energy_inferences);
  visit("energy_sum_uj", r.energy_sum_uj);
  visit("rejects", r.health.rejects);
  visit("drops", r.health.drops);
  visit("saturated", r.health.saturated);
  visit("watchdog_resets", r.health.watchdog_resets);
  visit("heap_free_min_bytes", r.health.heap_free_min_bytes);
  visit("arena_used_max_bytes", r.health.arena_used_max_bytes);
  visit("stack_used_max_bytes", r.health.stack_used_max_bytes);
}

constexpr const char* table_name(const WindowRecord&) { return "windows"; }
void columns(auto& visit, Like<WindowRecord> auto& r) {
  visit.key("manifest", r.manifest);
  visit.key("window_index", r.index);
  visit.key("length_ms", r.length);
  visit.key("cohort", r.cohort);
  visit.key("device", r.device);
  visit("start_wall_ms", r.start);
  visit("devices", r.devices);
  visit("closed", r.closed);
  visit("revised", r.revised);
  visit("counts", r.counts);
  visit("verdict", r.verdict);
}

constexpr const char* table_name(const SampleRecord&) { return "samples"; }
void columns(auto& visit, Like<SampleRecord> auto& r) {
  visit.key("device", r.device);
  visit.key("boot_id", r.boot_id);
  visit.key("inference", r.inference);
  visit("manifest", r.manifest);
  visit("cohort", r.cohort);
  visit("predicted", r.predicted);
  visit("confidence", r.confidence);
  visit("probability", r.probability);
  visit("at_wall_ms", r.at);
  visit("wall_ms", r.wall);
}

constexpr const char* table_name(const LabelTallyRecord&) { return "label_tallies"; }
void columns(auto& visit, Like<LabelTallyRecord> auto& r) {
  visit.key("manifest", r.manifest);
  visit.key("device", r.device);
  visit.key("start_wall_ms", r.start);
  visit("labelled", r.labelled);
  visit("correct", r.correct);
}

constexpr const char* table_name(const LabelRecord&) { return "labels"; }
void columns(auto& visit, Like<LabelRecord> auto& r) {
  visit.key("device", r.device);
  visit.key("boot_id", r.boot_id);
  visit.key("inference", r.inference);
  visit("model", r.model);
  visit("truth", r.truth);
  visit("matched", r.matched);
  visit("wall_ms", r.wall);
}

constexpr const char* table_name(const ReportRecord&) { return "reports"; }
void columns(auto& visit, Like<ReportRecord> auto& r) {
  visit.key("position", r.position);
  visit("device", r.device);
  visit("boot_id", r.boot_id);
  visit("manifest", r.manifest);
  visit("sequence", r.sequence);
  visit("wall_ms", r.wall);
  visit("cohort", r.cohort);
  visit("placed_wall_ms", r.placed);
  visit("checked", r.checked);
  visit("payload", r.payload);
}

constexpr const char* table_name(const monitoring::Alert&) { return "alerts"; }
void columns(auto& visit, Like<monitoring::Alert> auto& r) {
  visit.key("model", r.key.model);
  visit.key("kind", r.key.kind);
  visit.key("subject", r.key.subject);
  visit.key("scope", r.key.scope);
  visit.key("episode", r.episode);
  visit("state", r.state);
  visit("severity", r.severity);
  visit("explanation", r.explanation);
  visit("abnormal", r.abnormal);
  visit("quiet_streak", r.quiet_streak);
  visit("histories", r.histories);
  visit("opened_wall_ms", r.opened_at);
  visit("fired_wall_ms", r.fired_at);
  visit("resolved_wall_ms", r.resolved_at);
  visit.optional(r.acknowledged, [](auto& each, auto& by) {
    each("acknowledged_by", by.by);
    each("acknowledged_note", by.note);
    each("acknowledged_wall_ms", by.at);
  });
}

}  // namespace covey::rows
