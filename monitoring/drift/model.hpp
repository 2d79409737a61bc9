// SPDX-License-Identifier: Apache-2.0
// All that is judged of one window of one model, together: one histogram per device and subject.
// (docs/design/monitoring.md.) A false alarm is as likely for a model of ten features as for
// one of one: significance is adjusted over the subjects of the window (Benjamini-Hochberg).
// Thread safety: pure functions; the same counts give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "monitoring/counts/baseline.hpp"
#include "monitoring/counts/counts.hpp"
#include "monitoring/counts/window.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/drift/localise.hpp"
#include "monitoring/drift/missing.hpp"

namespace covey::monitoring {

enum class SubjectKind : uint8_t { kFeature, kClassMix, kConfidence, kJoint };
// FEATURE, CLASS_MIX, CONFIDENCE, JOINT
std::string_view to_string(SubjectKind kind);
std::optional<SubjectKind> parse_subject_kind(std::string_view text);

struct JudgedSubject {
  SubjectKind kind = SubjectKind::kFeature;
  std::string name;   // of the feature; "classes", ...
  size_t number = 0;  // which feature
  Counts baseline;
  std::vector<Counts> devices;    // the same devices in the same order for all subjects of a model
  std::vector<uint64_t> missing;  // of a feature: values that were not there, by device; or none
};

// What a baseline can be held against: its features and the class mix, without devices yet.
std::vector<JudgedSubject> subjects_of(const Baseline& baseline);
// The histogram of that subject; empty where the window has none.
const Counts& histogram_of(const WindowCounts& window, const JudgedSubject& subject);

// Values of that feature that the window misses; 0 of what is no feature.
uint64_t missing_of(const WindowCounts& window, const JudgedSubject& subject);

// What an alert on one subject needs: the pooled verdict and who it is. Outcome: the pooled one
// after the adjustment, raised to PAGE where devices are named or most are beyond device_psi, and
// to what missing values say (missing.hpp).
struct SubjectJudgement {
  DriftOutcome outcome = DriftOutcome::kInsufficientData;
  DriftVerdict pooled;
  Localisation where;
  double missing = 0;  // share
  std::string explanation;
};
// One judgement per subject, in order.
std::vector<SubjectJudgement> judge_model(std::span<const JudgedSubject> subjects,
                                          const DriftOptions& options = {},
                                          const LocaliseOptions& localise_options = {});

}  // namespace covey::monitoring
