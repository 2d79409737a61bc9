#include "gateway/engine/telemetry/judgement.hpp"

namespace covey::engine {

WindowVerdict judge(const WindowSnapshot& window) {
  WindowVerdict verdict{.number = window.number, .subjects = {}};
  for (const JudgedSubject& subject : window.subjects) {
    const monitoring::FeatureJudgement judgement =
        monitoring::judge_feature(subject.baseline, subject.devices, window.drift, window.localise);
    SubjectVerdict& said = verdict.subjects.emplace_back();
    said.kind = subject.kind;
    said.subject = subject.subject;
    said.outcome = judgement.outcome;
    said.explanation = judgement.explanation;
    for (const size_t index : judgement.where.devices) {
      said.devices.push_back(window.devices[index]);
    }
  }
  return verdict;
}

}  // namespace covey::engine
