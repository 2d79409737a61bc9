// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/accuracy.hpp"

namespace covey::monitoring {

GateResult to_gate_result(const AccuracyVerdict& verdict) {
  GateResult result{"accuracy", verdict.verdict, verdict.reason, verdict.explanation, {}};
  const double floor = -verdict.margin.as_double();
  for (const StratumVerdict& s : verdict.strata) {
    const auto measure = [&](const char* name, double value, std::optional<double> bound) {
      result.measures.push_back({name, value, bound, s.stratum});
    };
    measure("accuracy_canary", s.canary_accuracy, std::nullopt);
    measure("accuracy_control", s.control_accuracy, std::nullopt);
    measure("labels_canary", static_cast<double>(s.canary_labels), std::nullopt);
    measure("labels_control", static_cast<double>(s.control_labels), std::nullopt);
    measure("devices_canary", s.canary_devices, std::nullopt);
    measure("devices_control", s.control_devices, std::nullopt);
    measure("difference", s.difference, floor);
    measure("difference_low", s.bounds.low, floor);
    measure("difference_high", s.bounds.high, floor);
    if (s.labels_needed) {
      measure("labels_needed", static_cast<double>(*s.labels_needed), std::nullopt);
    }
  }
  return result;
}

}  // namespace covey::monitoring
