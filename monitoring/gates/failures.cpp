// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/failures.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::monitoring {

GateResult judge_failures(const FailureCounts& counts, const FailuresOptions& options) {
  GateResult result;
  result.gate = "failures";
  result.measures = {
      {"failed", static_cast<double>(counts.failed), std::nullopt, ""},
      {options.of, static_cast<double>(counts.counted), std::nullopt, ""},
      {"in_progress", static_cast<double>(counts.in_progress), std::nullopt, ""},
      {"share", share_of(counts.failed, counts.counted), options.max.as_double(), ""},
  };
  if (counts.counted > counts.targeted || counts.excluded > counts.targeted - counts.counted ||
      counts.in_progress > counts.counted || counts.failed > counts.counted - counts.in_progress) {
    return conclude(result, Verdict::kError, "COUNTS_CONTRADICT",
                    "the stage's device counts contradict each other");
  }
  const uint64_t reachable = counts.targeted - counts.excluded;
  const uint64_t needed = std::min(std::max<uint64_t>(options.min_sample, 1), reachable);
  const std::string measured =
      fmt::format("{} of {} {} devices failed, at most {} may", counts.failed, counts.counted,
                  options.of, to_string(options.max));
  if (exceeds(counts.failed, reachable, options.max)) {
    return conclude(
        result, Verdict::kFail, "FAILURES_CERTAIN",
        measured + fmt::format("; it stays above with all {} devices of the stage", reachable));
  }
  if (counts.counted >= options.min_sample && exceeds(counts.failed, counts.counted, options.max)) {
    return conclude(result, Verdict::kFail, "TOO_MANY_FAILURES", measured);
  }
  if (counts.counted == 0) {
    return conclude(result, Verdict::kInconclusive, "NO_DATA",
                    fmt::format("no {} device yet", options.of));
  }
  if (counts.counted < needed) {
    return conclude(result, Verdict::kInconclusive, "SAMPLE_TOO_SMALL",
                    measured + fmt::format("; a verdict needs {}", needed));
  }
  if (exceeds(counts.failed + counts.in_progress, counts.counted, options.max)) {
    return conclude(result, Verdict::kInconclusive, "IN_PROGRESS",
                    measured + fmt::format("; {} attempts have not ended", counts.in_progress));
  }
  return conclude(result, Verdict::kPass, "WITHIN_BOUND", measured);
}

}  // namespace covey::monitoring
