// The statistics of a closed window, apart from the engine: they take milliseconds for a large
// fleet, and the engine thread has none to spare. The engine copies what they need over several
// ticks and asks with JudgeWindow; whoever runs it gives the answer back as an event.
// Threading: a snapshot never changes once it has left the engine; judge() is pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/drift/localise.hpp"

namespace covey::engine {

// One feature, or the class mix: the histogram of each device beside that of validation.
struct JudgedSubject {
  std::string kind;     // FEATURE_DRIFT, CLASS_MIX_DRIFT
  std::string subject;  // feature, "classes"
  monitoring::Counts baseline;
  std::vector<monitoring::Counts> devices;
};

struct WindowSnapshot {
  uint64_t number = 0;  // of the question: an answer to an older one is dropped
  Digest manifest;
  int64_t index = 0;
  std::vector<DeviceId> devices;
  std::vector<JudgedSubject> subjects;  // each with a histogram per device
  monitoring::DriftOptions drift;
  monitoring::LocaliseOptions localise;
};

struct SubjectVerdict {
  std::string kind;
  std::string subject;
  monitoring::DriftOutcome outcome = monitoring::DriftOutcome::kInsufficientData;
  std::vector<DeviceId> devices;  // that stand out
  std::string explanation;
};

struct WindowVerdict {
  uint64_t number = 0;
  std::vector<SubjectVerdict> subjects;
};

WindowVerdict judge(const WindowSnapshot& window);

}  // namespace covey::engine
