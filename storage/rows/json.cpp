// SPDX-License-Identifier: Apache-2.0
#include "storage/rows/json.hpp"

#include <utility>

#include "storage/rows/json_fields.hpp"

namespace covey::rows {

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
// A model may be desired before the device said a word: the name is not always the report's.
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

void fields(auto& visit, Like<StageProgress> auto& s) {
  visit("state", s.state);
  visit("approved", s.approved);
  visit("approver", s.approver);
  visit("since_ms", s.since);
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
void fields(auto& visit, Like<SubjectVerdict> auto& v) {
  auto& [kind, subject, outcome, psi, psi_low, psi_high, p_value, deff, devices, explanation,
         compared, missing] = v;
  visit("kind", kind);
  visit("subject", subject);
  visit("outcome", outcome);
  visit("psi", psi);
  visit("psi_low", psi_low);
  visit("psi_high", psi_high);
  visit("p_value", p_value);
  visit("deff", deff);
  visit("devices", devices);
  visit("explanation", explanation);
  visit("compared", compared);
  visit("missing", missing);
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

template <>
struct JsonValue<Models> {
  static Json to(const Models& models) {
    Json list = Json::array();
    for (const auto& [name, model] : models) list.push_back(to_value(NamedModel{name, model}));
    return list;
  }
  static void from(const Json& json, Models& out) {
    std::vector<NamedModel> list;
    from_value(json, list);
    out.clear();
    for (NamedModel& entry : list) out.insert_or_assign(entry.name, std::move(entry.model));
  }
};

template <InJson T>
std::string to_json(const T& value) {
  return encode_json(value);
}
template <InJson T>
Result<T> from_json(std::string_view text) {
  return decode_json<T>(text);
}

#define COVEY_IN_JSON(...)                          \
  template std::string to_json(const __VA_ARGS__&); \
  template Result<__VA_ARGS__> from_json(std::string_view text)

COVEY_IN_JSON(Labels);
COVEY_IN_JSON(Models);
COVEY_IN_JSON(PlanDocument);
COVEY_IN_JSON(std::vector<StageProgress>);
COVEY_IN_JSON(std::vector<uint32_t>);
COVEY_IN_JSON(std::vector<DeviceId>);
COVEY_IN_JSON(std::vector<Exclusion>);
COVEY_IN_JSON(std::vector<monitoring::GateResult>);
COVEY_IN_JSON(std::vector<monitoring::Gap>);
COVEY_IN_JSON(std::vector<monitoring::DeviceHistory>);
COVEY_IN_JSON(std::vector<SubjectVerdict>);

#undef COVEY_IN_JSON

}  // namespace covey::rows
