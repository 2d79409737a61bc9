// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/model.hpp"

#include <algorithm>
#include <utility>

namespace covey::monitoring {
namespace {

SubjectJudgement judgement_of(DriftVerdict pooled, Localisation where,
                              const LocaliseOptions& options) {
  SubjectJudgement judgement;
  judgement.outcome = pooled.outcome;
  judgement.explanation = pooled.explanation;
  const bool world_moved =
      where.locus == Locus::kPooled &&
      static_cast<double>(where.devices_beyond) >
          options.world_share.as_double() * static_cast<double>(where.devices_judged);
  if (!where.devices.empty() || world_moved) {
    judgement.outcome = DriftOutcome::kPage;
    judgement.explanation = where.explanation + "; whole fleet: " + judgement.explanation;
  }
  judgement.pooled = std::move(pooled);
  judgement.where = std::move(where);
  return judgement;
}

// Whoever is worse says how bad it is; both are told.
void add_missing(SubjectJudgement& judgement, const JudgedSubject& subject,
                 const DriftOptions& options) {
  std::vector<uint64_t> seen;
  seen.reserve(subject.devices.size());
  for (const Counts& device : subject.devices) seen.push_back(total(device));
  const MissingVerdict verdict = judge_missing(seen, subject.missing, options);
  judgement.missing = verdict.share;
  if (verdict.explanation.empty()) return;
  const bool worse =
      judgement.outcome != DriftOutcome::kPage || verdict.outcome == DriftOutcome::kPage;
  if (worse) judgement.outcome = verdict.outcome;
  judgement.explanation = verdict.explanation + "; " + judgement.explanation;
  std::vector<size_t>& named = judgement.where.devices;
  named.insert(named.end(), verdict.devices.begin(), verdict.devices.end());
  std::ranges::sort(named);
  named.erase(std::unique(named.begin(), named.end()), named.end());
}

}  // namespace

std::string_view to_string(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::kFeature:
      return "FEATURE";
    case SubjectKind::kClassMix:
      return "CLASS_MIX";
    case SubjectKind::kConfidence:
      return "CONFIDENCE";
    case SubjectKind::kJoint:
      return "JOINT";
  }
  return "FEATURE";
}

std::optional<SubjectKind> parse_subject_kind(std::string_view text) {
  for (const auto kind : {SubjectKind::kFeature, SubjectKind::kClassMix, SubjectKind::kConfidence,
                          SubjectKind::kJoint}) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

std::vector<JudgedSubject> subjects_of(const Baseline& baseline) {
  std::vector<JudgedSubject> subjects;
  for (size_t f = 0; f < baseline.features.size(); ++f) {
    const FeatureBaseline& feature = baseline.features[f];
    subjects.push_back({SubjectKind::kFeature, feature.name, f, feature.counts, {}});
  }
  if (!baseline.classes.empty()) {
    subjects.push_back({SubjectKind::kClassMix, "classes", 0, baseline.classes, {}});
  }
  return subjects;
}

const Counts& histogram_of(const WindowCounts& window, const JudgedSubject& subject) {
  static const Counts none;
  switch (subject.kind) {
    case SubjectKind::kFeature:
      return subject.number < window.features.size() ? window.features[subject.number].bins : none;
    case SubjectKind::kClassMix:
      return window.classes;
    case SubjectKind::kConfidence:
      return window.confidence;
    case SubjectKind::kJoint:
      return window.joint;
  }
  return none;
}

uint64_t missing_of(const WindowCounts& window, const JudgedSubject& subject) {
  const bool there =
      subject.kind == SubjectKind::kFeature && subject.number < window.features.size();
  return there ? window.features[subject.number].missing : 0;
}

std::vector<SubjectJudgement> judge_model(std::span<const JudgedSubject> subjects,
                                          const DriftOptions& options,
                                          const LocaliseOptions& localise_options) {
  std::vector<DriftVerdict> pooled;
  pooled.reserve(subjects.size());
  for (const JudgedSubject& subject : subjects) {
    pooled.push_back(judge_histogram(subject.baseline, subject.devices, options));
  }
  adjust(pooled, options);
  std::vector<SubjectJudgement> judgements;
  judgements.reserve(subjects.size());
  for (size_t i = 0; i < subjects.size(); ++i) {
    Localisation where =
        localise(subjects[i].baseline, subjects[i].devices, localise_options, options, &pooled[i]);
    judgements.push_back(judgement_of(std::move(pooled[i]), std::move(where), localise_options));
    add_missing(judgements.back(), subjects[i], options);
  }
  return judgements;
}

}  // namespace covey::monitoring
