// Rollouts, gates, deployments, assignments, requests, and the append-only histories.
#include "storage/sqlite/record_json.hpp"
#include "storage/sqlite/rows.hpp"

namespace covey::sqlite {

const Table& RowOf<Rollout>::table() {
  static const Table table{
      "rollouts",
      {"rollout"},
      {"document", "state", "reason", "explanation", "stages", "ends", "holdback", "creator", "now",
       "create_wall_ms", "end_wall_ms", "revision", "end_observed_ms", "settled"}};
  return table;
}
void RowOf<Rollout>::bind(Statement& to, const Rollout& r) {
  to.text(r.name.str())
      .text(to_json(r.document))
      .text(to_string(r.state))
      .text(r.reason)
      .text(r.explanation)
      .text(to_json(r.stages))
      .text(to_json(r.ends))
      .number(r.holdback)
      .text(r.creator)
      .integer(r.now)
      .integer(r.create_wall.count())
      .integer(r.end_wall.count())
      .number(r.revision)
      .integer(r.end_observed.count())
      .integer(r.settled);
}
Rollout RowOf<Rollout>::read(Row& row) {
  Rollout r;
  row.id(r.name);
  r.document = row.decoded(from_json<PlanDocument>(row.text()));
  if (row.status()) r.plan = row.decoded(parse_plan(r.document));
  r.state = row.word(parse_rollout_state);
  r.reason = row.text();
  r.explanation = row.text();
  r.stages = row.decoded(from_json<std::vector<StageProgress>>(row.text()));
  r.ends = row.decoded(from_json<std::vector<uint32_t>>(row.text()));
  r.holdback = row.number<uint32_t>();
  r.creator = row.text();
  r.now = row.flag();
  r.create_wall = row.millis();
  r.end_wall = row.millis();
  r.revision = row.number<uint64_t>();
  r.end_observed = row.millis();
  r.settled = row.flag();
  return r;
}

const Table& RowOf<RolloutOrder>::table() {
  static const Table table{"rollout_orders", {"rollout"}, {"devices", "excluded"}};
  return table;
}
void RowOf<RolloutOrder>::bind(Statement& to, const RolloutOrder& r) {
  to.text(r.rollout.str()).text(to_json(r.devices)).text(to_json(r.excluded));
}
RolloutOrder RowOf<RolloutOrder>::read(Row& row) {
  RolloutOrder r;
  row.id(r.rollout);
  r.devices = row.decoded(from_json<std::vector<DeviceId>>(row.text()));
  r.excluded = row.decoded(from_json<std::vector<Exclusion>>(row.text()));
  return r;
}

const Table& RowOf<GateRecord>::table() {
  static const Table table{"gates", {"rollout", "stage"}, {"results"}};
  return table;
}
void RowOf<GateRecord>::bind(Statement& to, const GateRecord& r) {
  to.text(r.rollout.str()).number(r.stage).text(to_json(r.results));
}
GateRecord RowOf<GateRecord>::read(Row& row) {
  GateRecord r;
  row.id(r.rollout);
  r.stage = row.number<uint32_t>();
  r.results = row.decoded(from_json<std::vector<monitoring::GateResult>>(row.text()));
  return r;
}

const Table& RowOf<Deployment>::table() {
  static const Table table{"deployments",
                           {"number"},
                           {"device",
                            "model",
                            "major",
                            "minor",
                            "patch",
                            "manifest",
                            "previous",
                            "rollout",
                            "stage",
                            "cause",
                            "state",
                            "attempt",
                            "attempt_in_rollout",
                            "reason",
                            "chunks_have",
                            "chunks_total",
                            "attempted",
                            "granted",
                            "late_confirmed",
                            "deadline_ms",
                            "create_wall_ms",
                            "update_wall_ms"}};
  return table;
}
void RowOf<Deployment>::bind(Statement& to, const Deployment& r) {
  to.number(r.number).text(r.device.str());
  sqlite::bind(to, r.release);
  to.blob(r.manifest.bytes);
  r.previous ? to.blob(r.previous->bytes) : to.null();
  r.rollout ? to.text(r.rollout->str()) : to.null();
  to.number(r.stage)
      .text(to_string(r.cause))
      .text(to_string(r.state))
      .number(r.attempt)
      .number(r.attempt_in_rollout)
      .text(r.reason)
      .number(r.chunks_have)
      .number(r.chunks_total)
      .integer(r.attempted)
      .integer(r.granted)
      .integer(r.late_confirmed)
      .integer(r.deadline.count())
      .integer(r.create_wall.count())
      .integer(r.update_wall.count());
}
Deployment RowOf<Deployment>::read(Row& row) {
  Deployment r;
  r.number = row.number<uint64_t>();
  row.id(r.device);
  r.release = read_release(row);
  r.manifest = row.digest();
  r.previous = row.optional([](Row& at) { return at.digest(); });
  r.rollout = row.optional([](Row& at) { return RolloutName(at.text()); });
  r.stage = row.number<uint32_t>();
  r.cause = row.word(parse_cause);
  r.state = row.word(parse_deployment_state);
  r.attempt = row.number<uint32_t>();
  r.attempt_in_rollout = row.number<uint32_t>();
  r.reason = row.text();
  r.chunks_have = row.number<uint32_t>();
  r.chunks_total = row.number<uint32_t>();
  r.attempted = row.flag();
  r.granted = row.flag();
  r.late_confirmed = row.flag();
  r.deadline = row.millis();
  r.create_wall = row.millis();
  r.update_wall = row.millis();
  return r;
}

const Table& RowOf<CountRecord>::table() {
  static const Table table{
      "rollout_counts", {"rollout", "stage", "rollback", "state"}, {"devices"}};
  return table;
}
void RowOf<CountRecord>::bind(Statement& to, const CountRecord& r) {
  to.text(r.rollout.str()).number(r.stage).integer(r.rollback).text(r.state).number(r.devices);
}
CountRecord RowOf<CountRecord>::read(Row& row) {
  CountRecord r;
  row.id(r.rollout);
  r.stage = row.number<uint32_t>();
  r.rollback = row.flag();
  r.state = row.text();
  r.devices = row.number<uint32_t>();
  return r;
}

const Table& RowOf<AssignmentRecord>::table() {
  static const Table table{
      "assignments",
      {"number"},
      {"model", "rollout", "target", "release_model", "major", "minor", "patch"}};
  return table;
}
void RowOf<AssignmentRecord>::bind(Statement& to, const AssignmentRecord& r) {
  to.number(r.number).text(r.model.str()).text(r.rollout.str()).text(r.target);
  sqlite::bind(to, r.release);
}
AssignmentRecord RowOf<AssignmentRecord>::read(Row& row) {
  AssignmentRecord r;
  r.number = row.number<uint64_t>();
  row.id(r.model);
  row.id(r.rollout);
  r.target = row.text();
  r.release = read_release(row);
  return r;
}

const Table& RowOf<RequestRecord>::table() {
  static const Table table{"requests", {"request_id"}, {"subject", "content"}};
  return table;
}
void RowOf<RequestRecord>::bind(Statement& to, const RequestRecord& r) {
  to.text(r.request_id).text(r.subject).blob(r.content.bytes);
}
RequestRecord RowOf<RequestRecord>::read(Row& row) {
  RequestRecord r;
  r.request_id = row.text();
  r.subject = row.text();
  r.content = row.digest();
  return r;
}

const Table& RowOf<EventRecord>::table() {
  static const Table table{
      "events", {"sequence"}, {"rollout", "wall_ms", "kind", "subject", "text"}};
  return table;
}
void RowOf<EventRecord>::bind(Statement& to, const EventRecord& r) {
  to.number(r.sequence)
      .text(r.rollout.str())
      .integer(r.wall.count())
      .text(r.kind)
      .text(r.subject)
      .text(r.text);
}
EventRecord RowOf<EventRecord>::read(Row& row) {
  EventRecord r;
  r.sequence = row.number<uint64_t>();
  row.id(r.rollout);
  r.wall = row.millis();
  r.kind = row.text();
  r.subject = row.text();
  r.text = row.text();
  return r;
}

const Table& RowOf<AuditRecord>::table() {
  static const Table table{
      "audit", {"sequence"}, {"wall_ms", "actor", "action", "subject", "detail"}};
  return table;
}
void RowOf<AuditRecord>::bind(Statement& to, const AuditRecord& r) {
  to.number(r.sequence)
      .integer(r.wall.count())
      .text(r.actor)
      .text(r.action)
      .text(r.subject)
      .text(r.detail);
}
AuditRecord RowOf<AuditRecord>::read(Row& row) {
  AuditRecord r;
  r.sequence = row.number<uint64_t>();
  r.wall = row.millis();
  r.actor = row.text();
  r.action = row.text();
  r.subject = row.text();
  r.detail = row.text();
  return r;
}

}  // namespace covey::sqlite
