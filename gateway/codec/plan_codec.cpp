#include "gateway/codec/plan_codec.hpp"

namespace covey {
namespace {

template <typename Message>
std::optional<uint32_t> min_sample_of(const Message& gate) {
  if (!gate.has_min_sample()) return std::nullopt;
  return gate.min_sample();
}

Result<GateDocument> gate_from(const v1::GateSpec& gate, const std::string& path) {
  GateDocument document;
  switch (gate.gate_case()) {
    case v1::GateSpec::kFailures:
      document.failures = {gate.failures().max(), gate.failures().of(),
                           min_sample_of(gate.failures())};
      return document;
    case v1::GateSpec::kSilence:
      document.silence = {gate.silence().max()};
      return document;
    case v1::GateSpec::kAccuracy:
      document.accuracy = {gate.accuracy().non_inferior_by(), gate.accuracy().alpha(),
                           gate.accuracy().per(), min_sample_of(gate.accuracy())};
      return document;
    case v1::GateSpec::kDrift:
      document.drift = {gate.drift().max_psi()};
      return document;
    case v1::GateSpec::kLatency:
      document.latency = {gate.latency().p95_max()};
      return document;
    case v1::GateSpec::kAgreement:
      document.agreement = {gate.agreement().min()};
      return document;
    case v1::GateSpec::GATE_NOT_SET:
      break;
  }
  return invalid("BAD_PLAN", path +
                                 ": name a gate: failures, silence, accuracy, drift, latency or "
                                 "agreement");
}

template <typename Repeated>
Result<std::vector<GateDocument>> gates_from(const Repeated& gates, const std::string& path) {
  if (static_cast<size_t>(gates.size()) > kGatesMax) {
    return invalid("BAD_PLAN", path + ": at most " + std::to_string(kGatesMax) + " gates");
  }
  std::vector<GateDocument> documents;
  for (int i = 0; i < gates.size(); ++i) {
    Result<GateDocument> gate = gate_from(gates[i], path + "[" + std::to_string(i) + "]");
    if (!gate) return gate.error();
    documents.push_back(*std::move(gate));
  }
  return documents;
}

v1::GateSpec gate_to(const GateDocument& document) {
  v1::GateSpec gate;
  if (document.failures) {
    gate.mutable_failures()->set_max(document.failures->max);
    gate.mutable_failures()->set_of(document.failures->of);
    if (document.failures->min_sample) {
      gate.mutable_failures()->set_min_sample(*document.failures->min_sample);
    }
  } else if (document.silence) {
    gate.mutable_silence()->set_max(document.silence->max);
  } else if (document.accuracy) {
    v1::AccuracyGate& accuracy = *gate.mutable_accuracy();
    accuracy.set_non_inferior_by(document.accuracy->non_inferior_by);
    accuracy.set_alpha(document.accuracy->alpha);
    accuracy.set_per(document.accuracy->per);
    if (document.accuracy->min_sample) accuracy.set_min_sample(*document.accuracy->min_sample);
  } else if (document.drift) {
    gate.mutable_drift()->set_max_psi(document.drift->max_psi);
  } else if (document.latency) {
    gate.mutable_latency()->set_p95_max(document.latency->p95_max);
  } else if (document.agreement) {
    gate.mutable_agreement()->set_min(document.agreement->min);
  }
  return gate;
}

Result<StageDocument> stage_from(const v1::StageSpec& spec, const std::string& path) {
  Result<std::vector<GateDocument>> gates = gates_from(spec.gates(), path + ".gates");
  if (!gates) return gates.error();
  return StageDocument{.name = spec.name(),
                       .mode = spec.mode(),
                       .size = spec.size(),
                       .soak = spec.soak(),
                       .max_in_flight = spec.max_in_flight(),
                       .approval = spec.approval(),
                       .window = spec.window(),
                       .timeout = spec.timeout(),
                       .gates = *std::move(gates)};
}

}  // namespace

Result<PlanDocument> plan_from_proto(const v1::RolloutSpec& spec, const std::string& name) {
  PlanDocument document;
  document.name = name;
  document.release = spec.release();
  document.target = spec.target();
  if (static_cast<size_t>(spec.strata_size()) > kStrataMax) {
    return invalid("BAD_PLAN",
                   "spec.strata: at most " + std::to_string(kStrataMax) + " label keys");
  }
  document.strata.assign(spec.strata().begin(), spec.strata().end());
  document.holdback = spec.holdback();
  document.seed = spec.seed();
  if (static_cast<size_t>(spec.stages_size()) > kStagesMax) {
    return invalid("BAD_PLAN", "spec.stages: at most " + std::to_string(kStagesMax));
  }
  for (int i = 0; i < spec.stages_size(); ++i) {
    Result<StageDocument> stage =
        stage_from(spec.stages(i), "spec.stages[" + std::to_string(i) + "]");
    if (!stage) return stage.error();
    document.stages.push_back(*std::move(stage));
  }
  Result<std::vector<GateDocument>> gates = gates_from(spec.gates(), "spec.gates");
  if (!gates) return gates.error();
  document.gates = *std::move(gates);
  document.on_fail = spec.on_fail();
  document.attempt.deadline = spec.attempt().deadline();
  if (spec.attempt().has_retries()) document.attempt.retries = spec.attempt().retries();
  document.attempt.backoff = spec.attempt().backoff();
  document.offline.skip_after = spec.offline().skip_after();
  return document;
}

v1::RolloutSpec plan_to_proto(const PlanDocument& document) {
  v1::RolloutSpec spec;
  spec.set_release(document.release);
  spec.set_target(document.target);
  for (const std::string& stratum : document.strata) spec.add_strata(stratum);
  spec.set_holdback(document.holdback);
  spec.set_seed(document.seed);
  for (const StageDocument& stage : document.stages) {
    v1::StageSpec& to = *spec.add_stages();
    to.set_name(stage.name);
    to.set_mode(stage.mode);
    to.set_size(stage.size);
    to.set_soak(stage.soak);
    to.set_max_in_flight(stage.max_in_flight);
    to.set_window(stage.window);
    to.set_approval(stage.approval);
    to.set_timeout(stage.timeout);
    for (const GateDocument& gate : stage.gates) *to.add_gates() = gate_to(gate);
  }
  for (const GateDocument& gate : document.gates) *spec.add_gates() = gate_to(gate);
  spec.set_on_fail(document.on_fail);
  if (!document.attempt.deadline.empty() || document.attempt.retries ||
      !document.attempt.backoff.empty()) {
    spec.mutable_attempt()->set_deadline(document.attempt.deadline);
    if (document.attempt.retries) spec.mutable_attempt()->set_retries(*document.attempt.retries);
    spec.mutable_attempt()->set_backoff(document.attempt.backoff);
  }
  if (!document.offline.skip_after.empty()) {
    spec.mutable_offline()->set_skip_after(document.offline.skip_after);
  }
  return spec;
}

}  // namespace covey
