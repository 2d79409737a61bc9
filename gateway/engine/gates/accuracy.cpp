#include "monitoring/gates/accuracy.hpp"

#include <fmt/format.h>

#include <map>

#include "gateway/engine/gates/rules.hpp"

namespace covey::engine {

monitoring::GateResult judge(const AccuracyGate& gate, const StageEvidence& evidence) {
  std::map<std::string, monitoring::StratumLabels> strata;
  const auto stratum_of = [&](const DeviceId& id) -> monitoring::StratumLabels& {
    const std::string name = gate.per.empty() ? "" : evidence.label_of(id, gate.per);
    monitoring::StratumLabels& stratum = strata[name];
    stratum.stratum = name;
    return stratum;
  };
  for (const Deployment* d : evidence.attempts()) {
    if (!d->attempted) continue;
    stratum_of(d->device).canary.push_back(evidence.canary_labels(*d));
  }
  const auto& order = evidence.rollout().plan->order;
  for (size_t i = evidence.control_begin(); i < order.size(); ++i) {
    if (const auto labels = evidence.control_labels(order[i])) {
      stratum_of(order[i]).control.push_back(*labels);
    }
  }
  std::vector<monitoring::StratumLabels> list;
  list.reserve(strata.size());
  for (auto& [name, stratum] : strata) list.push_back(std::move(stratum));
  monitoring::AccuracyOptions options{.non_inferior_by = gate.non_inferior_by, .alpha = gate.alpha};
  if (gate.min_sample != 0) options.labels_min = gate.min_sample;
  return monitoring::to_gate_result(monitoring::judge_accuracy(list, options));
}

GateForecast foresee(const AccuracyGate& gate, const StageOutlook& outlook) {
  GateForecast forecast;
  forecast.words = fmt::format(
      "accuracy: concurrent control of {} device(s), not worse by more than {} at alpha {}{}; "
      "needs "
      "labels from both sides",
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
