#include "storage/sqlite/record_json.hpp"

#include <utility>

#include "storage/sqlite/json_fields.hpp"

namespace covey::sqlite {
namespace {

Error unknown(const Json& json) { return invalid("BAD_JSON", "unknown word " + json.dump()); }

}  // namespace

// Enums as their stable text.
template <>
struct JsonValue<StageState> {
  static Json to(StageState state) { return std::string(to_string(state)); }
  static void from(const Json& json, StageState& out) {
    const auto state = parse_stage_state(json.get_ref<const std::string&>());
    if (!state) throw Json::other_error::create(501, unknown(json).message, &json);
    out = *state;
  }
};
template <>
struct JsonValue<Verdict> {
  static Json to(Verdict verdict) { return std::string(to_string(verdict)); }
  static void from(const Json& json, Verdict& out) {
    const auto verdict = parse_verdict(json.get_ref<const std::string&>());
    if (!verdict) throw Json::other_error::create(501, unknown(json).message, &json);
    out = *verdict;
  }
};

void fields(auto& visit, Like<ModelReport> auto& r) {
  visit("model", r.model);
  visit("confirmed", r.confirmed);
  visit("active", r.active);
  visit("candidate", r.candidate);
  visit("fallback", r.fallback);
  visit("phase", r.phase);
  visit("reason", r.reason);
  visit("fallback_reason", r.fallback_reason);
  visit("attempt", r.attempt);
  visit("chunks_have", r.chunks_have);
  visit("chunks_total", r.chunks_total);
  visit("journal_generation", r.journal_generation);
  visit("security_floor", r.security_floor);
  visit("retry_after_s", r.retry_after_s);
  visit("port_code", r.port_code);
}

void fields(auto& visit, Like<ModelOrder> auto& o) {
  visit("confirmed", o.confirmed);
  visit("candidate", o.candidate);
  visit("may_confirm", o.may_confirm);
  visit("attempt", o.attempt);
  visit("security_floor", o.security_floor);
  visit("lease_s", o.lease_s);
}

namespace {
// The map's key is not always the report's: a model may be desired before the device said a word.
struct NamedModel {
  ModelName name;
  DeviceModel model;
};
}  // namespace

void fields(auto& visit, Like<NamedModel> auto& m) {
  visit("model", m.name);
  visit("reported", m.model.reported);
  visit("ordered", m.model.ordered);
  visit("desired", m.model.desired);
  visit("security_floor", m.model.security_floor);
  visit("attempt_last", m.model.attempt_last);
  visit("assignment_failures", m.model.assignment_failures);
  visit("retry_not_before_ms", m.model.retry_not_before);
  visit("step_deadline_ms", m.model.step_deadline);
}

void fields(auto& visit, Like<GateDocument::Failures> auto& g) {
  visit("max", g.max);
  visit("of", g.of);
  visit("min_sample", g.min_sample);
}
void fields(auto& visit, Like<GateDocument::Silence> auto& g) { visit("max", g.max); }
void fields(auto& visit, Like<GateDocument::Accuracy> auto& g) {
  visit("non_inferior_by", g.non_inferior_by);
  visit("alpha", g.alpha);
  visit("per", g.per);
  visit("min_sample", g.min_sample);
}
void fields(auto& visit, Like<GateDocument::Drift> auto& g) { visit("max_psi", g.max_psi); }
void fields(auto& visit, Like<GateDocument::Latency> auto& g) { visit("p95_max", g.p95_max); }
void fields(auto& visit, Like<GateDocument::Agreement> auto& g) { visit("min", g.min); }
void fields(auto& visit, Like<GateDocument> auto& g) {
  visit("failures", g.failures);
  visit("silence", g.silence);
  visit("accuracy", g.accuracy);
  visit("drift", g.drift);
  visit("latency", g.latency);
  visit("agreement", g.agreement);
}
void fields(auto& visit, Like<StageDocument> auto& s) {
  visit("name", s.name);
  visit("mode", s.mode);
  visit("size", s.size);
  visit("soak", s.soak);
  visit("max_in_flight", s.max_in_flight);
  visit("approval", s.approval);
  visit("window", s.window);
  visit("timeout", s.timeout);
  visit("gates", s.gates);
}
void fields(auto& visit, Like<PlanDocument::Attempt> auto& a) {
  visit("deadline", a.deadline);
  visit("retries", a.retries);
  visit("backoff", a.backoff);
}
void fields(auto& visit, Like<PlanDocument::Offline> auto& o) { visit("skip_after", o.skip_after); }
void fields(auto& visit, Like<PlanDocument> auto& d) {
  visit("name", d.name);
  visit("release", d.release);
  visit("target", d.target);
  visit("strata", d.strata);
  visit("holdback", d.holdback);
  visit("seed", d.seed);
  visit("stages", d.stages);
  visit("gates", d.gates);
  visit("on_fail", d.on_fail);
  visit("attempt", d.attempt);
  visit("offline", d.offline);
}

void fields(auto& visit, Like<StageProgress> auto& s) {
  visit("state", s.state);
  visit("approved", s.approved);
  visit("soak_used_ms", s.soak_used);
  visit("analysis_used_ms", s.analysis_used);
  visit("start_wall_ms", s.start_wall);
  visit("end_wall_ms", s.end_wall);
}
void fields(auto& visit, Like<Exclusion> auto& e) {
  visit("device", e.device);
  visit("reason", e.reason);
  visit("explanation", e.explanation);
}
void fields(auto& visit, Like<monitoring::Measure> auto& m) {
  visit("name", m.name);
  visit("value", m.value);
  visit("bound", m.bound);
  visit("scope", m.scope);
}
void fields(auto& visit, Like<monitoring::GateResult> auto& r) {
  visit("gate", r.gate);
  visit("verdict", r.verdict);
  visit("reason", r.reason);
  visit("explanation", r.explanation);
  visit("measures", r.measures);
}
void fields(auto& visit, Like<monitoring::Gap> auto& g) {
  visit("first", g.first);
  visit("last", g.last);
}
void fields(auto& visit, Like<monitoring::DeviceHistory> auto& h) {
  visit("device", h.device);
  visit("named", h.named);
  visit("confirmed", h.confirmed);
}

std::string to_json(const Labels& labels) { return encode_json(labels); }
std::string to_json(const Models& models) {
  std::vector<NamedModel> list;
  for (const auto& [name, model] : models) list.push_back({name, model});
  return encode_json(list);
}
std::string to_json(const PlanDocument& document) { return encode_json(document); }
std::string to_json(const std::vector<StageProgress>& stages) { return encode_json(stages); }
std::string to_json(const std::vector<uint32_t>& ends) { return encode_json(ends); }
std::string to_json(const std::vector<DeviceId>& order) { return encode_json(order); }
std::string to_json(const std::vector<Exclusion>& excluded) { return encode_json(excluded); }
std::string to_json(const std::vector<monitoring::GateResult>& results) {
  return encode_json(results);
}
std::string to_json(const std::vector<monitoring::Gap>& gaps) { return encode_json(gaps); }
std::string to_json(const std::vector<monitoring::DeviceHistory>& histories) {
  return encode_json(histories);
}

template <>
Result<Labels> from_json(const std::string& text) {
  return decode_json<Labels>(text);
}
template <>
Result<Models> from_json(const std::string& text) {
  Result<std::vector<NamedModel>> list = decode_json<std::vector<NamedModel>>(text);
  if (!list) return list.error();
  Models models;
  for (NamedModel& entry : *list) models.insert_or_assign(entry.name, std::move(entry.model));
  return models;
}
template <>
Result<PlanDocument> from_json(const std::string& text) {
  return decode_json<PlanDocument>(text);
}
template <>
Result<std::vector<StageProgress>> from_json(const std::string& text) {
  return decode_json<std::vector<StageProgress>>(text);
}
template <>
Result<std::vector<uint32_t>> from_json(const std::string& text) {
  return decode_json<std::vector<uint32_t>>(text);
}
template <>
Result<std::vector<DeviceId>> from_json(const std::string& text) {
  return decode_json<std::vector<DeviceId>>(text);
}
template <>
Result<std::vector<Exclusion>> from_json(const std::string& text) {
  return decode_json<std::vector<Exclusion>>(text);
}
template <>
Result<std::vector<monitoring::GateResult>> from_json(const std::string& text) {
  return decode_json<std::vector<monitoring::GateResult>>(text);
}
template <>
Result<std::vector<monitoring::Gap>> from_json(const std::string& text) {
  return decode_json<std::vector<monitoring::Gap>>(text);
}
template <>
Result<std::vector<monitoring::DeviceHistory>> from_json(const std::string& text) {
  return decode_json<std::vector<monitoring::DeviceHistory>>(text);
}

}  // namespace covey::sqlite
