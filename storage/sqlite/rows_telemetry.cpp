// Streams, totals, windows, samples, labels, reports and alerts.
#include "storage/sqlite/record_json.hpp"
#include "storage/sqlite/rows.hpp"

namespace covey::sqlite {

const Table& RowOf<StreamRecord>::table() {
  static const Table table{
      "streams",
      {"device", "boot_id", "manifest"},
      {"first_report", "cumulative", "bitmap", "gaps", "lost_windows", "quarantined_windows",
       "received_windows", "counted_inferences", "reached_inferences"}};
  return table;
}
void RowOf<StreamRecord>::bind(Statement& to, const StreamRecord& r) {
  to.text(r.device.str())
      .number(r.boot_id)
      .blob(r.manifest.bytes)
      .number(r.order)
      .number(r.mark.cumulative)
      .number(r.mark.bitmap)
      .text(to_json(r.mark.gaps))
      .number(r.mark.lost_windows)
      .number(r.mark.quarantined_windows)
      .number(r.mark.received_windows)
      .number(r.mark.counted_inferences)
      .number(r.mark.reached_inferences);
}
StreamRecord RowOf<StreamRecord>::read(Row& row) {
  StreamRecord r;
  row.id(r.device);
  r.boot_id = row.number<uint64_t>();
  r.manifest = row.digest();
  r.order = row.number<uint64_t>();
  r.mark.cumulative = row.number<uint64_t>();
  r.mark.bitmap = row.number<uint64_t>();
  r.mark.gaps = row.decoded(from_json<std::vector<monitoring::Gap>>(row.text()));
  r.mark.lost_windows = row.number<uint64_t>();
  r.mark.quarantined_windows = row.number<uint64_t>();
  r.mark.received_windows = row.number<uint64_t>();
  r.mark.counted_inferences = row.number<uint64_t>();
  r.mark.reached_inferences = row.number<uint64_t>();
  return r;
}

const Table& RowOf<TotalRecord>::table() {
  static const Table table{
      "totals",
      {"device", "manifest", "cohort"},
      {"inferences", "windows", "windows_lost", "errors", "duplicates", "quarantined",
       "energy_inferences", "energy_sum_uj", "rejects", "drops", "saturated", "watchdog_resets",
       "heap_free_min_bytes", "arena_used_max_bytes", "stack_used_max_bytes"}};
  return table;
}
void RowOf<TotalRecord>::bind(Statement& to, const TotalRecord& r) {
  to.text(r.device.str())
      .blob(r.manifest.bytes)
      .text(r.cohort)
      .number(r.inferences)
      .number(r.windows)
      .number(r.windows_lost)
      .number(r.errors)
      .number(r.duplicates)
      .number(r.quarantined)
      .number(r.energy_inferences)
      .number(r.energy_sum_uj)
      .number(r.health.rejects)
      .number(r.health.drops)
      .number(r.health.saturated)
      .number(r.health.watchdog_resets)
      .number(r.health.heap_free_min_bytes)
      .number(r.health.arena_used_max_bytes)
      .number(r.health.stack_used_max_bytes);
}
TotalRecord RowOf<TotalRecord>::read(Row& row) {
  TotalRecord r;
  row.id(r.device);
  r.manifest = row.digest();
  r.cohort = row.text();
  r.inferences = row.number<uint64_t>();
  r.windows = row.number<uint64_t>();
  r.windows_lost = row.number<uint64_t>();
  r.errors = row.number<uint64_t>();
  r.duplicates = row.number<uint64_t>();
  r.quarantined = row.number<uint64_t>();
  r.energy_inferences = row.number<uint64_t>();
  r.energy_sum_uj = row.number<uint64_t>();
  r.health.rejects = row.number<uint64_t>();
  r.health.drops = row.number<uint64_t>();
  r.health.saturated = row.number<uint64_t>();
  r.health.watchdog_resets = row.number<uint64_t>();
  r.health.heap_free_min_bytes = row.number<uint64_t>();
  r.health.arena_used_max_bytes = row.number<uint64_t>();
  r.health.stack_used_max_bytes = row.number<uint64_t>();
  return r;
}

const Table& RowOf<WindowRecord>::table() {
  static const Table table{"windows",
                           {"manifest", "window_index", "length_ms", "cohort", "device"},
                           {"start_wall_ms", "devices", "closed", "revised", "counts"}};
  return table;
}
void RowOf<WindowRecord>::bind(Statement& to, const WindowRecord& r) {
  to.blob(r.manifest.bytes)
      .integer(r.index)
      .integer(r.length.count())
      .text(r.cohort)
      .text(r.device.str())
      .integer(r.start.count())
      .number(r.devices)
      .integer(r.closed)
      .integer(r.revised)
      .blob(monitoring::encode(r.counts));
}
WindowRecord RowOf<WindowRecord>::read(Row& row) {
  WindowRecord r;
  r.manifest = row.digest();
  r.index = row.integer();
  r.length = row.millis();
  r.cohort = row.text();
  row.id(r.device);
  r.start = row.millis();
  r.devices = row.number<uint32_t>();
  r.closed = row.flag();
  r.revised = row.flag();
  r.counts = row.decoded(monitoring::decode_window(row.blob()));
  return r;
}

const Table& RowOf<SampleRecord>::table() {
  static const Table table{"samples",
                           {"device", "boot_id", "inference"},
                           {"manifest", "cohort", "predicted", "confidence", "probability",
                            "window_index", "start_wall_ms"}};
  return table;
}
void RowOf<SampleRecord>::bind(Statement& to, const SampleRecord& r) {
  to.text(r.device.str())
      .number(r.boot_id)
      .number(r.inference)
      .blob(r.manifest.bytes)
      .text(r.cohort)
      .number(r.predicted)
      .number(r.confidence)
      .number(r.probability)
      .integer(r.window)
      .integer(r.start.count());
}
SampleRecord RowOf<SampleRecord>::read(Row& row) {
  SampleRecord r;
  row.id(r.device);
  r.boot_id = row.number<uint64_t>();
  r.inference = row.number<uint64_t>();
  r.manifest = row.digest();
  r.cohort = row.text();
  r.predicted = row.number<uint32_t>();
  r.confidence = row.number<uint32_t>();
  r.probability = row.number<uint32_t>();
  r.window = row.integer();
  r.start = row.millis();
  return r;
}

const Table& RowOf<LabelRecord>::table() {
  static const Table table{
      "labels", {"device", "boot_id", "inference"}, {"model", "truth", "matched", "wall_ms"}};
  return table;
}
void RowOf<LabelRecord>::bind(Statement& to, const LabelRecord& r) {
  to.text(r.device.str())
      .number(r.boot_id)
      .number(r.inference)
      .text(r.model.str())
      .number(r.truth)
      .integer(r.matched)
      .integer(r.wall.count());
}
LabelRecord RowOf<LabelRecord>::read(Row& row) {
  LabelRecord r;
  row.id(r.device);
  r.boot_id = row.number<uint64_t>();
  r.inference = row.number<uint64_t>();
  row.id(r.model);
  r.truth = row.number<uint32_t>();
  r.matched = row.flag();
  r.wall = row.millis();
  return r;
}

const Table& RowOf<ReportRecord>::table() {
  static const Table table{
      "reports", {}, {"device", "boot_id", "manifest", "sequence", "wall_ms", "payload"}};
  return table;
}
void RowOf<ReportRecord>::bind(Statement& to, const ReportRecord& r) {
  to.text(r.device.str())
      .number(r.boot_id)
      .blob(r.manifest.bytes)
      .number(r.sequence)
      .integer(r.wall.count())
      .blob(r.payload);
}
ReportRecord RowOf<ReportRecord>::read(Row& row) {
  ReportRecord r;
  row.id(r.device);
  r.boot_id = row.number<uint64_t>();
  r.manifest = row.digest();
  r.sequence = row.number<uint64_t>();
  r.wall = row.millis();
  r.payload = row.blob();
  return r;
}

const Table& RowOf<monitoring::Alert>::table() {
  static const Table table{"alerts",
                           {"model", "kind", "subject", "scope", "episode"},
                           {"state", "severity", "explanation", "abnormal", "quiet_streak",
                            "histories", "opened_wall_ms", "fired_wall_ms", "resolved_wall_ms",
                            "acknowledged_by", "acknowledged_note", "acknowledged_wall_ms"}};
  return table;
}
void RowOf<monitoring::Alert>::bind(Statement& to, const monitoring::Alert& r) {
  to.text(r.key.model).text(r.key.kind).text(r.key.subject).text(r.key.scope).number(r.episode);
  to.text(to_string(r.state))
      .text(to_string(r.severity))
      .text(r.explanation)
      .number(r.abnormal)
      .number(r.quiet_streak)
      .text(to_json(r.histories))
      .integer(r.opened_at.count());
  r.fired_at ? to.integer(r.fired_at->count()) : to.null();
  r.resolved_at ? to.integer(r.resolved_at->count()) : to.null();
  if (r.acknowledged) {
    to.text(r.acknowledged->by).text(r.acknowledged->note).integer(r.acknowledged->at.count());
  } else {
    to.null().null().null();
  }
}
monitoring::Alert RowOf<monitoring::Alert>::read(Row& row) {
  monitoring::Alert r;
  r.key.model = row.text();
  r.key.kind = row.text();
  r.key.subject = row.text();
  r.key.scope = row.text();
  r.episode = row.number<uint64_t>();
  r.state = row.word(monitoring::parse_alert_state);
  r.severity = row.word(monitoring::parse_severity);
  r.explanation = row.text();
  r.abnormal = row.number<uint32_t>();
  r.quiet_streak = row.number<uint32_t>();
  r.histories = row.decoded(from_json<std::vector<monitoring::DeviceHistory>>(row.text()));
  r.opened_at = row.millis();
  const auto millis = [](Row& at) { return at.millis(); };
  r.fired_at = row.optional(millis);
  r.resolved_at = row.optional(millis);
  r.acknowledged = row.optional([&](Row& at) {
    monitoring::Acknowledgement by;
    by.by = at.text();
    by.note = at.text();
    by.at = at.millis();
    return by;
  });
  return r;
}

}  // namespace covey::sqlite
