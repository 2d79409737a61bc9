// Verdicts of gates, and the gates that only count: failures and silence (DESIGN.md section 6).
// Gates fail closed: missing, empty or contradicting evidence never passes.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ratio.hpp"
#include "core/verdict.hpp"

namespace covey::monitoring {

using covey::combine;
using covey::parse_verdict;
using covey::to_string;
using covey::Verdict;

// One number a person can check the verdict with. Counts and shares alike as double.
struct Measure {
  std::string name;  // "failed", "share", "accuracy_canary"
  double value = 0;
  std::optional<double> bound;  // what it was held against
  std::string scope;            // stratum, feature or ""

  bool operator==(const Measure&) const = default;
};

struct GateResult {
  std::string gate;  // "failures", "silence", "accuracy", "drift"
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;       // UPPER_SNAKE, stable
  std::string explanation;  // one line for people
  std::vector<Measure> measures;

  bool operator==(const GateResult&) const = default;
};
// The verdict of all gates of a stage; none is INCONCLUSIVE (the caller decides what no gates
// mean).
Verdict combine(std::span<const GateResult> results);

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

// Devices of one stage by *assignment*: a canary that falls silent counts against the canary. The
// caller decides who is silent (observed time, report interval, grace).
struct SilenceCounts {
  uint64_t expected = 0;  // assigned, took the release, should report by now
  uint64_t silent = 0;
  // Concurrent control, where there is one: when it is as silent, the site is down, not the
  // release.
  uint64_t control_expected = 0;
  uint64_t control_silent = 0;
  uint64_t unheard = 0;  // of the expected that are not silent: no word since the gateway came back
};
struct SilenceOptions {
  Ratio max;
  uint64_t min_sample = 1;
};
// FAIL (TOO_MUCH_SILENCE) when silent / expected > max, unless the control exceeds max too and its
// share is at least as large: INCONCLUSIVE (SILENCE_IS_SITE_WIDE). PASS (WITHIN_BOUND) with at
// least one and min(min_sample, expected) devices, and only when the bound holds even if all that
// are unheard are silent; else INCONCLUSIVE (NOT_HEARD_YET). No data: INCONCLUSIVE (NO_DATA).
GateResult judge_silence(const SilenceCounts& counts, const SilenceOptions& options);

}  // namespace covey::monitoring
