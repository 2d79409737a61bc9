#include "monitoring/gates/gates.hpp"

#include <algorithm>

#include "monitoring/statistics/text.hpp"

namespace covey::monitoring {
namespace {

unsigned long long wide(uint64_t value) { return value; }

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

GateResult& conclude(GateResult& result, Verdict verdict, std::string reason,
                     std::string explanation) {
  result.verdict = verdict;
  result.reason = std::move(reason);
  result.explanation = std::move(explanation);
  return result;
}

}  // namespace

Verdict combine(std::span<const GateResult> results) {
  std::vector<Verdict> verdicts;
  for (const GateResult& result : results) verdicts.push_back(result.verdict);
  return combine(verdicts);
}

GateResult judge_failures(const FailureCounts& counts, const FailuresOptions& options) {
  GateResult result;
  result.gate = "failures";
  result.measures = {
      {"failed", static_cast<double>(counts.failed), std::nullopt, ""},
      {options.of, static_cast<double>(counts.counted), std::nullopt, ""},
      {"in_progress", static_cast<double>(counts.in_progress), std::nullopt, ""},
      {"share", share(counts.failed, counts.counted), options.max.as_double(), ""},
  };
  if (counts.counted > counts.targeted || counts.excluded > counts.targeted - counts.counted ||
      counts.in_progress > counts.counted || counts.failed > counts.counted - counts.in_progress) {
    return conclude(result, Verdict::kError, "COUNTS_CONTRADICT",
                    "the stage's device counts contradict each other");
  }
  const uint64_t reachable = counts.targeted - counts.excluded;
  const uint64_t needed = std::min(std::max<uint64_t>(options.min_sample, 1), reachable);
  const std::string measured =
      printed("%llu of %llu %s devices failed, at most %s may", wide(counts.failed),
              wide(counts.counted), options.of.c_str(), to_string(options.max).c_str());
  if (exceeds(counts.failed, reachable, options.max)) {
    return conclude(
        result, Verdict::kFail, "FAILURES_CERTAIN",
        measured + printed("; it stays above with all %llu devices of the stage", wide(reachable)));
  }
  if (counts.counted >= options.min_sample && exceeds(counts.failed, counts.counted, options.max)) {
    return conclude(result, Verdict::kFail, "TOO_MANY_FAILURES", measured);
  }
  if (counts.counted == 0) {
    return conclude(result, Verdict::kInconclusive, "NO_DATA",
                    printed("no %s device yet", options.of.c_str()));
  }
  if (counts.counted < needed) {
    return conclude(result, Verdict::kInconclusive, "SAMPLE_TOO_SMALL",
                    measured + printed("; a verdict needs %llu", wide(needed)));
  }
  if (exceeds(counts.failed + counts.in_progress, counts.counted, options.max)) {
    return conclude(result, Verdict::kInconclusive, "IN_PROGRESS",
                    measured + printed("; %llu attempts have not ended", wide(counts.in_progress)));
  }
  return conclude(result, Verdict::kPass, "WITHIN_BOUND", measured);
}

GateResult judge_silence(const SilenceCounts& counts, const SilenceOptions& options) {
  GateResult result;
  result.gate = "silence";
  result.measures = {
      {"silent", static_cast<double>(counts.silent), std::nullopt, ""},
      {"unheard", static_cast<double>(counts.unheard), std::nullopt, ""},
      {"expected", static_cast<double>(counts.expected), std::nullopt, ""},
      {"share", share(counts.silent, counts.expected), options.max.as_double(), ""},
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
  const std::string measured =
      printed("%llu of %llu devices are silent, at most %s may", wide(counts.silent),
              wide(counts.expected), to_string(options.max).c_str());
  if (exceeds(counts.silent, counts.expected, options.max)) {
    using Wide = unsigned __int128;
    const bool control_as_silent =
        exceeds(counts.control_silent, counts.control_expected, options.max) &&
        static_cast<Wide>(counts.control_silent) * counts.expected >=
            static_cast<Wide>(counts.silent) * counts.control_expected;
    if (control_as_silent) {
      return conclude(
          result, Verdict::kInconclusive, "SILENCE_IS_SITE_WIDE",
          measured + printed("; but %llu of %llu control devices are silent too",
                             wide(counts.control_silent), wide(counts.control_expected)));
    }
    return conclude(result, Verdict::kFail, "TOO_MUCH_SILENCE", measured);
  }
  if (exceeds(counts.silent + counts.unheard, counts.expected, options.max)) {
    return conclude(result, Verdict::kInconclusive, "NOT_HEARD_YET",
                    measured + printed("; %llu were not heard of since the gateway came back",
                                       wide(counts.unheard)));
  }
  if (counts.expected < options.min_sample) {
    return conclude(result, Verdict::kInconclusive, "SAMPLE_TOO_SMALL",
                    measured + printed("; a verdict needs %llu devices", wide(options.min_sample)));
  }
  return conclude(result, Verdict::kPass, "WITHIN_BOUND", measured);
}

}  // namespace covey::monitoring
