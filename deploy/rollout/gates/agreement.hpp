// SPDX-License-Identifier: Apache-2.0
// agreement: words that plans may use one day; reading refuses them (drift.hpp).
//   agreement: {min: 97%}
#pragma once

#include <optional>
#include <string>

#include "core/fields.hpp"
#include "deploy/rollout/document/plan_values.hpp"

namespace covey {

struct AgreementGate {
  struct Document {
    std::string min;
    bool operator==(const Document&) const = default;
  };
};

void fields(auto& visit, Like<AgreementGate::Document> auto& document) {
  auto& [min] = document;
  visit("min", min);
}

inline std::nullopt_t read_gate(const AgreementGate::Document& document, const std::string& path,
                                PlanValues& values) {
  values.ratio(document.min, path + ".min", std::nullopt);
  values.problem(path, "UNSUPPORTED_GATE",
                 "agreement gates come with shadow stages in a later version: use accuracy");
  return std::nullopt;
}

}  // namespace covey
