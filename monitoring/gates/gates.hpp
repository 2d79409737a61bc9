// SPDX-License-Identifier: Apache-2.0
// What the gates of a stage say (docs/design/rollouts.md, "Gates"). Each gate has a file of its own
// here: the counts that it needs and the verdict that follows from them. Gates fail closed:
// missing, empty or contradicting evidence never passes.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  std::string gate;  // "failures", "silence", "accuracy"
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;       // UPPER_SNAKE, stable
  std::string explanation;  // one line for people
  std::vector<Measure> measures;

  bool operator==(const GateResult&) const = default;
};
// The verdict of all gates of a stage; none is INCONCLUSIVE (the caller decides what no gates
// mean).
Verdict combine(std::span<const GateResult> results);

// The result with what follows from its measures: how each gate ends.
GateResult conclude(GateResult result, Verdict verdict, std::string reason,
                    std::string explanation);
// part / whole; 0 of nothing.
double share_of(uint64_t part, uint64_t whole);

}  // namespace covey::monitoring
