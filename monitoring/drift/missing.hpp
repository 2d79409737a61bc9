// SPDX-License-Identifier: Apache-2.0
// A feature whose values are not there: a cable that broke, a sensor that stopped. Its histogram
// has nothing to say then, so the share of missing values is judged by itself. The training had
// all of its values (docs/design/monitoring.md, "Drift").
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/ratio.hpp"
#include "monitoring/drift/drift.hpp"

namespace covey::monitoring {

struct MissingOptions {
  Ratio warn = Ratio::percent(5);   // of all values of the window
  Ratio page = Ratio::percent(50);  // the same, and of a single device
  uint64_t device_min = 50;         // inferences of a device that is judged by itself
};

struct MissingVerdict {
  DriftOutcome outcome = DriftOutcome::kInsufficientData;
  double share = 0;
  std::vector<size_t> devices;  // that miss most of theirs, by index
  std::string explanation;      // "" where there is nothing to tell
};

// Of one feature, by device: values that were there, and that were not. A device that misses most
// of its values needs no fleet beside it.
MissingVerdict judge_missing(std::span<const uint64_t> seen, std::span<const uint64_t> missing,
                             const DriftOptions& drift, const MissingOptions& options = {});

}  // namespace covey::monitoring
