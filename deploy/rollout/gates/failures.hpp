// SPDX-License-Identifier: Apache-2.0
// failures: at most a share of a stage's devices may fail. An absolute bound.
//   failures: {max: 2%, of: attempted, min_sample: 20}
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/fields.hpp"
#include "deploy/rollout/document/plan_values.hpp"

namespace covey {

enum class Denominator : uint8_t { kTargeted, kAttempted, kReported };
std::string_view to_string(Denominator of);  // targeted, attempted, reported: as in the document

struct FailuresGate {
  static constexpr std::string_view kName = "failures";
  struct Document {
    std::string max;
    std::string of;  // targeted | attempted (default) | reported
    std::optional<uint32_t> min_sample;
    bool operator==(const Document&) const = default;
  };

  Ratio max;
  Denominator of = Denominator::kAttempted;
  uint32_t min_sample = 1;
  bool operator==(const FailuresGate&) const = default;
};

void fields(auto& visit, Like<FailuresGate::Document> auto& document) {
  auto& [max, of, min_sample] = document;
  visit("max", max);
  visit("of", of);
  visit("min_sample", min_sample);
}

inline FailuresGate read_gate(const FailuresGate::Document& document, const std::string& path,
                              PlanValues& values) {
  FailuresGate gate;
  gate.max = values.ratio(document.max, path + ".max", std::nullopt);
  if (document.of == "targeted") {
    gate.of = Denominator::kTargeted;
  } else if (document.of == "reported") {
    gate.of = Denominator::kReported;
  } else if (!document.of.empty() && document.of != "attempted") {
    values.bad(path + ".of", in_quotes(document.of) + " is none of targeted, attempted, reported");
  }
  gate.min_sample = std::max<uint32_t>(1, document.min_sample.value_or(gate.min_sample));
  return gate;
}

inline FailuresGate::Document document_of(const FailuresGate& gate) {
  return {to_string(gate.max), std::string(to_string(gate.of)), gate.min_sample};
}

}  // namespace covey
