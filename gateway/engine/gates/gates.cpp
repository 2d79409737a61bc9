#include "gateway/engine/gates/gates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

using monitoring::GateResult;

// FAILURES_CERTAIN, ACCURACY_CANARY_WORSE: the gate is named once.
std::string reason_of(const GateResult& result) {
  std::string gate = result.gate;
  std::transform(gate.begin(), gate.end(), gate.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return result.reason.find(gate) == std::string::npos ? gate + "_" + result.reason : result.reason;
}

}  // namespace

rollout::StageFacts judge_stage(Turn& turn, const Rollout& rollout, size_t stage) {
  const StageEvidence evidence(turn, rollout, stage);
  GateRecord record{
      .rollout = rollout.plan->name, .stage = static_cast<uint32_t>(stage), .results = {}};
  for (const Gate& gate : rollout.plan->rules.stages[stage].gates) {
    record.results.push_back(
        std::visit([&](const auto& kind) { return judge(kind, evidence); }, gate));
  }
  rollout::StageFacts facts = stage_facts(turn.state, rollout);
  facts.verdict = monitoring::combine(std::span<const GateResult>(record.results));
  for (const GateResult& result : record.results) {
    if (result.verdict != facts.verdict) continue;
    facts.reason = reason_of(result);
    facts.explanation = fmt::format("{}: {}", result.gate, result.explanation);
    break;
  }
  note_gates(turn, std::move(record));
  return facts;
}

GateForecast foresee_gate(const Gate& gate, const StageOutlook& outlook) {
  return std::visit([&](const auto& kind) { return foresee(kind, outlook); }, gate);
}

}  // namespace covey::engine
