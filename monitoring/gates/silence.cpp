// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/silence.hpp"

#include <fmt/format.h>

namespace covey::monitoring {

GateResult judge_silence(const SilenceCounts& counts, const SilenceOptions& options) {
  GateResult result;
  result.gate = "silence";
  result.measures = {
      {"silent", static_cast<double>(counts.silent), std::nullopt, ""},
      {"unheard", static_cast<double>(counts.unheard), std::nullopt, ""},
      {"expected", static_cast<double>(counts.expected), std::nullopt, ""},
      {"share", share_of(counts.silent, counts.expected), options.max.as_double(), ""},
      {"control_silent", static_cast<double>(counts.control_silent), std::nullopt, ""},
      {"control_expected", static_cast<double>(counts.control_expected), std::nullopt, ""},
  };
  if (counts.silent > counts.expected || counts.unheard > counts.expected - counts.silent ||
      counts.control_silent > counts.control_expected) {
    return conclude(result, Verdict::kError, "COUNTS_CONTRADICT",
                    "more devices are silent than are expected to report");
  }
  if (counts.expected == 0) {
    return conclude(result, Verdict::kInconclusive, "NO_DATA",
                    "no device of the stage is expected to report yet");
  }
  const std::string measured = fmt::format("{} of {} devices are silent, at most {} may",
                                           counts.silent, counts.expected, to_string(options.max));
  if (exceeds(counts.silent, counts.expected, options.max)) {
    using Wide = unsigned __int128;
    const bool control_as_silent =
        exceeds(counts.control_silent, counts.control_expected, options.max) &&
        static_cast<Wide>(counts.control_silent) * counts.expected >=
            static_cast<Wide>(counts.silent) * counts.control_expected;
    if (control_as_silent) {
      return conclude(result, Verdict::kInconclusive, "SILENCE_IS_SITE_WIDE",
                      measured + fmt::format("; but {} of {} control devices are silent too",
                                             counts.control_silent, counts.control_expected));
    }
    return conclude(result, Verdict::kFail, "TOO_MUCH_SILENCE", measured);
  }
  if (exceeds(counts.silent + counts.unheard, counts.expected, options.max)) {
    return conclude(result, Verdict::kInconclusive, "NOT_HEARD_YET",
                    measured + fmt::format("; {} were not heard of since the gateway came back",
                                           counts.unheard));
  }
  if (counts.expected < options.min_sample) {
    return conclude(result, Verdict::kInconclusive, "SAMPLE_TOO_SMALL",
                    measured + fmt::format("; a verdict needs {} devices", options.min_sample));
  }
  return conclude(result, Verdict::kPass, "WITHIN_BOUND", measured);
}

}  // namespace covey::monitoring
