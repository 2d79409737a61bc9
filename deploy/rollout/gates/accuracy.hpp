// SPDX-License-Identifier: Apache-2.0
// accuracy: by its labels the canary is not worse than concurrent control by more than a margin.
//   accuracy: {non_inferior_by: 2pp, alpha: 5%, per: labels.machine_type, per_stratum: 10pp,
//              labels: 2500, min_sample: 30, expect: 92%, labels_per_day: 300}
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
    std::string per_stratum;
    std::optional<uint32_t> labels;
    std::string expect;
    std::optional<uint32_t> labels_per_day;
    bool operator==(const Document&) const = default;
  };

  Ratio non_inferior_by;
  Ratio alpha = Ratio::percent(5);
  std::string per;          // label key without "labels.", or empty
  uint32_t min_sample = 0;  // labels per arm and stratum; 0: the gate's own minimum
  Ratio per_stratum;        // no stratum is worse by more; 0: the gate's own bound
  uint32_t labels = 0;  // of the canary, at which it is best at deciding; 0: as many as it takes
  Ratio expect;         // for the forecast: accuracy of control; 0: what labels said so far
  uint32_t labels_per_day = 0;  // for the forecast, of both sides; 0: not known
  bool operator==(const AccuracyGate&) const = default;
};

void fields(auto& visit, Like<AccuracyGate::Document> auto& document) {
  auto& [non_inferior_by, alpha, per, min_sample, per_stratum, labels, expect, labels_per_day] =
      document;
  visit("non_inferior_by", non_inferior_by);
  visit("alpha", alpha);
  visit("per", per);
  visit("min_sample", min_sample);
  visit("per_stratum", per_stratum);
  visit("labels", labels);
  visit("expect", expect);
  visit("labels_per_day", labels_per_day);
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
  if (!document.per_stratum.empty()) {
    gate.per_stratum = values.ratio(document.per_stratum, path + ".per_stratum", std::nullopt);
    if (parse_ratio(document.per_stratum) && gate.per_stratum < gate.non_inferior_by) {
      values.bad(path + ".per_stratum",
                 "a stratum may be worse by non_inferior_by at least: write " +
                     document.non_inferior_by + " or more");
    }
    if (gate.per.empty()) {
      values.bad(path + ".per_stratum", "there are no strata without per: labels.KEY");
    }
  }
  gate.labels = document.labels.value_or(0);
  if (document.labels == uint32_t{0}) {
    values.bad(path + ".labels",
               "no label decides nothing: leave it out, or write how many you have");
  }
  if (!document.expect.empty()) {
    gate.expect = values.ratio(document.expect, path + ".expect", std::nullopt);
    if (parse_ratio(document.expect) &&
        (gate.expect.ppm == 0 || gate.expect >= Ratio::percent(100))) {
      values.bad(path + ".expect", "an accuracy to plan with is above 0 and below 100%");
    }
  }
  gate.labels_per_day = document.labels_per_day.value_or(0);
  return gate;
}

inline AccuracyGate::Document document_of(const AccuracyGate& gate) {
  AccuracyGate::Document document;
  document.non_inferior_by = to_string(gate.non_inferior_by);
  document.alpha = to_string(gate.alpha);
  if (!gate.per.empty()) document.per = "labels." + gate.per;
  if (gate.min_sample > 0) document.min_sample = gate.min_sample;
  if (gate.per_stratum.ppm > 0) document.per_stratum = to_string(gate.per_stratum);
  if (gate.labels > 0) document.labels = gate.labels;
  if (gate.expect.ppm > 0) document.expect = to_string(gate.expect);
  if (gate.labels_per_day > 0) document.labels_per_day = gate.labels_per_day;
  return document;
}

}  // namespace covey
