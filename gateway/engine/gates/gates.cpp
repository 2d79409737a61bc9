// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/gates/gates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "gateway/engine/gates/own.hpp"
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

Judgement begin_judgement(const Rollout& rollout, size_t stage, const StageEvidence& evidence) {
  Judgement judgement{.stage = stage,
                      .revision = rollout.progress.revision,
                      .tallies = {},
                      .attempts = {.going_on = true, .until = {}},
                      .control = evidence.control_begin()};
  for (const Gate& gate : rollout.plan->rules.stages[stage].gates) {
    judgement.tallies.push_back(tally_of(gate));
  }
  return judgement;
}

void take(Judgement& judgement, const StageEvidence& evidence, const auto& device) {
  for (GateTally& tally : judgement.tallies) {
    std::visit([&](auto& kind) { kind.take(device, evidence); }, tally);
  }
}

// The newest attempts up to the stage's end (the stages after it have none), then control. True:
// that was all.
bool look_on(Judgement& judgement, const Rollout& rollout, const StageEvidence& evidence,
             TickBudget& budget) {
  const RolloutsState& rollouts = evidence.state().rollouts;
  const auto& newest = rollouts.attempts.at(rollout.plan->name).rollout.newest;
  if (!walk(judgement.attempts, newest, budget, [&](const DeviceId&, uint64_t number) {
        take(judgement, evidence, rollouts.deployments.at(number));
        return false;
      })) {
    return false;
  }
  for (; judgement.control < rollout.plan->order.size(); ++judgement.control) {
    if (!budget.take_look()) return false;
    // Who has left the fleet says nothing about anybody.
    const auto device = evidence.state().fleet.devices.find(rollout.plan->order[judgement.control]);
    if (device == evidence.state().fleet.devices.end() ||
        device->second.state != DeviceState::kAccepted) {
      continue;
    }
    take(judgement, evidence,
         Control{.device = rollout.plan->order[judgement.control],
                 .in_stage = judgement.control < evidence.rest_begin()});
  }
  return true;
}

rollout::StageFacts conclude(Turn& turn, const Rollout& rollout, GateRecord record) {
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

}  // namespace

std::optional<rollout::StageFacts> judge_stage(Turn& turn, const Rollout& rollout, size_t stage,
                                               TickBudget& budget) {
  const RolloutName& name = rollout.plan->name;
  const StageEvidence evidence(turn, rollout, stage);
  auto& judgements = own_gates(turn).judgements;
  const auto [found, fresh] = judgements.try_emplace(name);
  if (fresh || found->second.stage != stage) {
    found->second = begin_judgement(rollout, stage, evidence);
  }
  if (!look_on(found->second, rollout, evidence, budget)) {
    found->second.in_pieces = true;
    return std::nullopt;
  }
  const Judgement done = std::move(found->second);
  judgements.erase(found);
  GateRecord record{.rollout = name, .stage = static_cast<uint32_t>(stage), .results = {}};
  for (const GateTally& tally : done.tallies) {
    record.results.push_back(
        std::visit([&](const auto& kind) { return kind.judge(evidence); }, tally));
  }
  const bool moved = done.in_pieces && (done.revision != rollout.progress.revision ||
                                        turn.rollout_rows.rollouts.contains(name));
  rollout::StageFacts facts = conclude(turn, rollout, std::move(record));
  // A failure stays one; nothing else is known for sure of what moved while it was looked at.
  if (moved && facts.verdict != Verdict::kFail) {
    facts.verdict = Verdict::kInconclusive;
    facts.reason = "DEVICES_MOVED";
    facts.explanation = "devices moved while they were looked at: they are judged again";
  }
  return facts;
}

void forget_judgement(Turn& turn, const RolloutName& rollout) {
  own_gates(turn).judgements.erase(rollout);
}

GateForecast foresee_gate(const Gate& gate, const StageOutlook& outlook) {
  return std::visit([&](const auto& kind) { return foresee(kind, outlook); }, gate);
}

}  // namespace covey::engine
