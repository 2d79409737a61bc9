// SPDX-License-Identifier: Apache-2.0
// accuracy: by its labels the canary is not worse than concurrent control by more than a margin.
//   accuracy: {non_inferior_by: 2pp, alpha: 5%, per: labels.machine_type, min_sample: 30}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fields.hpp"
#include "deploy/rollout/document/plan_values.hpp"
#include "deploy/rollout/filter/filter.hpp"

namespace covey {

struct AccuracyGate {
  static constexpr std::string_view kName = "accuracy";
  struct Document {
    std::string non_inferior_by;
    std::string alpha;
    std::string per;  // labels.KEY: judged for each value of the label too
    std::optional<uint32_t> min_sample;
    bool operator==(const Document&) const = default;
  };

  Ratio non_inferior_by;
  Ratio alpha = Ratio::percent(5);
  std::string per;          // label key without "labels.", or empty
  uint32_t min_sample = 0;  // labels per arm; 0: the gate's own minimum
  bool operator==(const AccuracyGate&) const = default;
};

void fields(auto& visit, Like<AccuracyGate::Document> auto& document) {
  auto& [non_inferior_by, alpha, per, min_sample] = document;
  visit("non_inferior_by", non_inferior_by);
  visit("alpha", alpha);
  visit("per", per);
  visit("min_sample", min_sample);
}

inline AccuracyGate read_gate(const AccuracyGate::Document& document, const std::string& path,
                              PlanValues& values) {
  constexpr std::string_view kLabels = "labels.";
  AccuracyGate gate;
  gate.non_inferior_by =
      values.ratio(document.non_inferior_by, path + ".non_inferior_by", std::nullopt);
  if (gate.non_inferior_by.ppm == 0 && parse_ratio(document.non_inferior_by)) {
    values.bad(path + ".non_inferior_by",
               "no amount of evidence shows a margin of 0: write e.g. 2pp");
  }
  gate.alpha = values.ratio(document.alpha, path + ".alpha", gate.alpha);
  if (gate.alpha.ppm == 0 || gate.alpha > Ratio::percent(50)) {
    values.bad(path + ".alpha", "the accepted rate of false alarms is above 0 and at most 50%");
  }
  if (!document.per.empty()) {
    const Result<Filter> probe = Filter::parse(document.per + ":*");
    if (document.per.starts_with(kLabels) && probe &&
        probe->fields() == std::vector<std::string>{document.per}) {
      gate.per = document.per.substr(kLabels.size());
    } else {
      values.bad(path + ".per", in_quotes(document.per) + " is not a label: write labels.KEY");
    }
  }
  gate.min_sample = document.min_sample.value_or(gate.min_sample);
  return gate;
}

inline AccuracyGate::Document document_of(const AccuracyGate& gate) {
  AccuracyGate::Document document{to_string(gate.non_inferior_by), to_string(gate.alpha), "", {}};
  if (!gate.per.empty()) document.per = "labels." + gate.per;
  if (gate.min_sample > 0) document.min_sample = gate.min_sample;
  return document;
}

}  // namespace covey
