// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/accuracy.hpp"

namespace covey::monitoring {

namespace {

void add_measures(GateResult& result, const StratumVerdict& s, const std::string& scope,
                  Ratio margin) {
  const auto measure = [&](const char* name, double value, std::optional<double> bound) {
    result.measures.push_back({name, value, bound, scope});
  };
  measure("accuracy_canary", s.canary_accuracy, std::nullopt);
  measure("accuracy_control", s.control_accuracy, std::nullopt);
  measure("labels_canary", static_cast<double>(s.canary_labels), std::nullopt);
  measure("labels_control", static_cast<double>(s.control_labels), std::nullopt);
  measure("devices_canary", s.canary_devices, std::nullopt);
  measure("devices_control", s.control_devices, std::nullopt);
  measure("device_sd", s.device_sd, std::nullopt);
  measure("difference", s.difference, -margin.as_double());
  measure("difference_low", s.bounds.low, -s.may_be_worse_by.as_double());
  measure("difference_high", s.bounds.high, -margin.as_double());
  if (s.labels_needed) {
    measure("labels_needed", static_cast<double>(s.labels_needed->likely), std::nullopt);
    if (const auto& surely = s.labels_needed->surely) {
      measure("labels_needed_90", static_cast<double>(*surely), std::nullopt);
    }
  }
}

}  // namespace

GateResult to_gate_result(const AccuracyVerdict& verdict) {
  GateResult result{"accuracy", verdict.verdict, verdict.reason, verdict.explanation, {}};
  if (verdict.together) add_measures(result, *verdict.together, "", verdict.margin);
  for (const StratumVerdict& s : verdict.strata) {
    add_measures(result, s, s.stratum, verdict.margin);
  }
  return result;
}

}  // namespace covey::monitoring
