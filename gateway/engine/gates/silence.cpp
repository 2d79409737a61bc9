#include "monitoring/gates/silence.hpp"

#include <fmt/format.h>

#include "gateway/engine/gates/rules.hpp"

namespace covey::engine {

monitoring::GateResult judge(const SilenceGate& gate, const StageEvidence& evidence) {
  monitoring::SilenceCounts counts;
  for (const Deployment* d : evidence.attempts()) {
    if (!d->attempted || d->state == DeploymentState::kCanceled) continue;
    // Its first model: it has nothing to report from until it has proven that it runs.
    if (!d->previous && d->state != DeploymentState::kConfirmed) continue;
    ++counts.expected;
    if (evidence.is_silent(d->device)) {
      ++counts.silent;
    } else if (evidence.is_unheard(d->device)) {
      ++counts.unheard;
    }
  }
  const auto& order = evidence.rollout().plan->order;
  for (size_t i = evidence.rest_begin(); i < order.size(); ++i) {
    ++counts.control_expected;
    if (evidence.is_silent(order[i])) ++counts.control_silent;
  }
  return monitoring::judge_silence(counts, {gate.max});
}

GateForecast foresee(const SilenceGate& gate, const StageOutlook& outlook) {
  return {
      fmt::format("silence: absolute bound, fails when more than {} of {} devices send no window",
                  to_string(gate.max), outlook.devices),
      ""};
}

}  // namespace covey::engine
