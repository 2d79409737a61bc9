// SPDX-License-Identifier: Apache-2.0
// The statistics of a closed window, apart from the engine: they take milliseconds for a large
// fleet, and the engine thread has none to spare. The engine copies what they need over several
// ticks and asks with JudgeWindow; whoever runs it gives the answer back as an event.
// Threading: a snapshot never changes once it has left the engine; judge() is pure, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "monitoring/drift/model.hpp"
#include "storage/records.hpp"

namespace covey::engine {

struct WindowSnapshot {
  uint64_t number = 0;  // of the question: an answer to an older one is dropped
  Digest manifest;
  int64_t index = 0;
  std::vector<DeviceId> devices;
  std::vector<monitoring::JudgedSubject> subjects;  // each with a histogram per device
  monitoring::DriftOptions drift;
  monitoring::LocaliseOptions localise;
};

struct WindowVerdict {
  uint64_t number = 0;
  std::vector<SubjectVerdict> subjects;
};

WindowVerdict judge(const WindowSnapshot& window);
// The same of any counts: `devices` are those of each subject's histograms.
std::vector<SubjectVerdict> judge_subjects(std::span<const monitoring::JudgedSubject> subjects,
                                           const std::vector<DeviceId>& devices,
                                           const monitoring::DriftOptions& drift,
                                           const monitoring::LocaliseOptions& localise);

}  // namespace covey::engine
