// SPDX-License-Identifier: Apache-2.0
#include "core/verdict.hpp"

namespace covey {
namespace {

// Order of precedence; the only place that knows it.
int rank(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFail:
      return 3;
    case Verdict::kError:
      return 2;
    case Verdict::kInconclusive:
      return 1;
    case Verdict::kPass:
      return 0;
  }
  return 2;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kInconclusive:
      return "INCONCLUSIVE";
    case Verdict::kError:
      return "ERROR";
  }
  return "ERROR";
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  for (const auto verdict :
       {Verdict::kPass, Verdict::kFail, Verdict::kInconclusive, Verdict::kError}) {
    if (to_string(verdict) == text) return verdict;
  }
  return std::nullopt;
}

Verdict combine(Verdict a, Verdict b) { return rank(a) >= rank(b) ? a : b; }

Verdict combine(std::span<const Verdict> verdicts) {
  if (verdicts.empty()) return Verdict::kInconclusive;
  Verdict worst = Verdict::kPass;
  for (const Verdict verdict : verdicts) worst = combine(worst, verdict);
  return worst;
}

}  // namespace covey
