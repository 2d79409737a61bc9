// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/telemetry/judgement.hpp"

namespace covey::engine {

WindowVerdict judge(const WindowSnapshot& window) {
  return {window.number,
          judge_subjects(window.subjects, window.devices, window.drift, window.localise)};
}

std::vector<SubjectVerdict> judge_subjects(std::span<const monitoring::JudgedSubject> subjects,
                                           const std::vector<DeviceId>& devices,
                                           const monitoring::DriftOptions& drift,
                                           const monitoring::LocaliseOptions& localise) {
  const std::vector<monitoring::SubjectJudgement> judgements =
      monitoring::judge_model(subjects, drift, localise);
  std::vector<SubjectVerdict> verdicts;
  verdicts.reserve(subjects.size());
  for (size_t i = 0; i < subjects.size(); ++i) {
    const monitoring::SubjectJudgement& judgement = judgements[i];
    SubjectVerdict& verdict = verdicts.emplace_back();
    verdict.kind = subjects[i].kind;
    verdict.subject = subjects[i].name;
    verdict.outcome = judgement.outcome;
    verdict.explanation = judgement.explanation;
    verdict.missing = judgement.missing;
    const monitoring::DriftOutcome pooled = judgement.pooled.outcome;
    verdict.compared = pooled != monitoring::DriftOutcome::kInsufficientData &&
                       pooled != monitoring::DriftOutcome::kInsufficientDevices;
    verdict.psi = judgement.pooled.psi_corrected;
    verdict.psi_low = judgement.pooled.psi_low;
    verdict.psi_high = judgement.pooled.psi_high;
    verdict.p_value = judgement.pooled.p_adjusted;
    verdict.deff = judgement.pooled.deff;
    for (const size_t index : judgement.where.devices) verdict.devices.push_back(devices[index]);
  }
  return verdicts;
}

}  // namespace covey::engine
