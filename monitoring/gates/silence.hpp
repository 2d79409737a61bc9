// SPDX-License-Identifier: Apache-2.0
// At most a share of a stage's devices may be silent: an absolute bound, with the control to tell a
// dead site from a bad release. Thread safety: pure function.
#pragma once

#include <cstdint>

#include "core/ratio.hpp"
#include "monitoring/gates/gates.hpp"

namespace covey::monitoring {

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
