// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/accuracy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/engine/gates/rules.hpp"

namespace covey::engine {

monitoring::StratumLabels& Tally<AccuracyGate>::stratum_of(const DeviceId& device,
                                                           const StageEvidence& evidence) {
  std::string name = gate.per.empty() ? "" : evidence.label_of(device, gate.per);
  auto found = std::lower_bound(strata.begin(), strata.end(), name,
                                [](const monitoring::StratumLabels& stratum,
                                   const std::string& wanted) { return stratum.stratum < wanted; });
  if (found == strata.end() || found->stratum != name) {
    found = strata.insert(found, {std::move(name), {}, {}});
  }
  return *found;
}

void Tally<AccuracyGate>::take(const Deployment& d, const StageEvidence& evidence) {
  if (!d.attempted || has_left(d)) return;
  stratum_of(d.device, evidence).canary.push_back(evidence.canary_labels(d));
}

void Tally<AccuracyGate>::take(const Control& control, const StageEvidence& evidence) {
  if (auto labels = evidence.control_labels(control.device)) {
    stratum_of(control.device, evidence).control.push_back(std::move(*labels));
  }
}

monitoring::GateResult Tally<AccuracyGate>::judge(const StageEvidence&) const {
  monitoring::AccuracyOptions options{.non_inferior_by = gate.non_inferior_by, .alpha = gate.alpha};
  if (gate.min_sample != 0) options.labels_min = gate.min_sample;
  return monitoring::to_gate_result(monitoring::judge_accuracy(strata, options));
}

GateForecast foresee(const AccuracyGate& gate, const StageOutlook& outlook) {
  GateForecast forecast;
  forecast.words = fmt::format(
      "accuracy: concurrent control of {} device(s), not worse by more than {} at alpha {}{}; "
      "needs labels of both sides, of the same hours",
      outlook.control, to_string(gate.non_inferior_by), to_string(gate.alpha),
      gate.per.empty() ? "" : " for each labels." + gate.per);
  if (outlook.control == 0) {
    forecast.warning =
        "accuracy: no concurrent control is left in this stage; it is judged by the control of the "
        "stages before it, or add a holdback";
  }
  return forecast;
}

}  // namespace covey::engine
