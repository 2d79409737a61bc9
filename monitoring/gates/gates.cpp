// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/gates.hpp"

namespace covey::monitoring {

Verdict combine(std::span<const GateResult> results) {
  std::vector<Verdict> verdicts;
  for (const GateResult& result : results) verdicts.push_back(result.verdict);
  return combine(verdicts);
}

GateResult conclude(GateResult result, Verdict verdict, std::string reason,
                    std::string explanation) {
  result.verdict = verdict;
  result.reason = std::move(reason);
  result.explanation = std::move(explanation);
  return result;
}

double share_of(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace covey::monitoring
