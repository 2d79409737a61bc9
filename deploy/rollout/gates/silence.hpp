// SPDX-License-Identifier: Apache-2.0
// silence: at most a share of a stage's devices may send no report. An absolute bound.
//   silence: {max: 5%}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/fields.hpp"
#include "deploy/rollout/document/plan_values.hpp"

namespace covey {

struct SilenceGate {
  static constexpr std::string_view kName = "silence";
  struct Document {
    std::string max;
    bool operator==(const Document&) const = default;
  };

  Ratio max;
  bool operator==(const SilenceGate&) const = default;
};

void fields(auto& visit, Like<SilenceGate::Document> auto& document) {
  auto& [max] = document;
  visit("max", max);
}

inline SilenceGate read_gate(const SilenceGate::Document& document, const std::string& path,
                             PlanValues& values) {
  return {values.ratio(document.max, path + ".max", std::nullopt)};
}

inline SilenceGate::Document document_of(const SilenceGate& gate) { return {to_string(gate.max)}; }

}  // namespace covey
