// SPDX-License-Identifier: Apache-2.0
// drift: words that plans may use one day. Nothing judges them yet, so reading refuses them, after
// their own mistakes: a plan with two of them shows both.
//   drift: {max_psi: 0.1}
#pragma once

#include <optional>
#include <string>

#include "core/fields.hpp"
#include "deploy/rollout/document/plan_values.hpp"

namespace covey {

struct DriftGate {
  struct Document {
    std::string max_psi;
    bool operator==(const Document&) const = default;
  };
};

void fields(auto& visit, Like<DriftGate::Document> auto& document) {
  auto& [max_psi] = document;
  visit("max_psi", max_psi);
}

inline std::nullopt_t read_gate(const DriftGate::Document& document, const std::string& path,
                                PlanValues& values) {
  const Result<Ratio> psi = parse_ratio(document.max_psi);
  if (!psi || psi->ppm == 0 || document.max_psi.ends_with("%") ||
      document.max_psi.ends_with("pp")) {
    values.bad(path + ".max_psi", in_quotes(document.max_psi) +
                                      " is not a PSI: write a number above 0 and up to 1, such as "
                                      "0.1");
  }
  values.problem(path, "UNSUPPORTED_GATE",
                 "drift gates come with a later version, drift alerts are there: remove the gate");
  return std::nullopt;
}

}  // namespace covey
