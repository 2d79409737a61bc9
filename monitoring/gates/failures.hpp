// SPDX-License-Identifier: Apache-2.0
// At most a share of a stage's devices may fail: an absolute bound. Thread safety: pure function.
#pragma once

#include <cstdint>
#include <string>

#include "core/ratio.hpp"
#include "monitoring/gates/gates.hpp"

namespace covey::monitoring {

// Devices of one stage. A device counts once in `counted` and at most once in `failed`.
struct FailureCounts {
  uint64_t targeted = 0;     // assigned to the stage
  uint64_t excluded = 0;     // will never count: skipped offline, removed, held
  uint64_t counted = 0;      // the denominator: targeted, attempted or reported; all that failed
  uint64_t in_progress = 0;  // of the counted: not ended yet
  uint64_t failed = 0;       // of the counted: ended badly for good, or left the release
};
struct FailuresOptions {
  Ratio max;
  uint64_t min_sample = 1;
  std::string of = "attempted";  // what the denominator is called
};
// FAIL (TOO_MANY_FAILURES) as soon as failed / counted > max with counted >= min_sample, and
// (FAILURES_CERTAIN) with any sample once failed > max * (targeted - excluded): more attempts
// cannot bring the share back. PASS (WITHIN_BOUND) only when at least min(min_sample, targeted -
// excluded) devices were counted and the bound holds even if every attempt in progress fails.
// Otherwise INCONCLUSIVE: NO_DATA, SAMPLE_TOO_SMALL, IN_PROGRESS. Contradicting counts: ERROR.
GateResult judge_failures(const FailureCounts& counts, const FailuresOptions& options);

}  // namespace covey::monitoring
