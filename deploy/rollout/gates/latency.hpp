// SPDX-License-Identifier: Apache-2.0
// latency: words that plans may use one day; reading refuses them (drift.hpp).
//   latency: {p95_max: 40ms}
#pragma once

#include <optional>
#include <string>

#include "core/fields.hpp"
#include "deploy/rollout/document/plan_values.hpp"

namespace covey {

struct LatencyGate {
  struct Document {
    std::string p95_max;
    bool operator==(const Document&) const = default;
  };
};

void fields(auto& visit, Like<LatencyGate::Document> auto& document) {
  auto& [p95_max] = document;
  visit("p95_max", p95_max);
}

inline std::nullopt_t read_gate(const LatencyGate::Document& document, const std::string& path,
                                PlanValues& values) {
  if (document.p95_max.empty()) {
    values.bad(path + ".p95_max", "is missing: write for example 40ms");
  }
  values.duration(document.p95_max, path + ".p95_max", Millis{0});
  values.problem(path, "UNSUPPORTED_GATE",
                 "latency gates come with a later version: use failures, silence or accuracy");
  return std::nullopt;
}

}  // namespace covey
