// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/silence.hpp"

#include <fmt/format.h>

#include "gateway/engine/gates/rules.hpp"

namespace covey::engine {

void Tally<SilenceGate>::take(const Deployment& d, const StageEvidence& evidence) {
  if (!d.attempted || d.state == DeploymentState::kCanceled) return;
  // Its first model: it has nothing to report from until it has proven that it runs.
  if (!d.previous && d.state != DeploymentState::kConfirmed) return;
  ++counts.expected;
  if (evidence.is_silent(d.device)) {
    ++counts.silent;
  } else if (evidence.is_unheard(d.device)) {
    ++counts.unheard;
  }
}

void Tally<SilenceGate>::take(const Control& control, const StageEvidence& evidence) {
  if (control.in_stage) return;
  ++counts.control_expected;
  if (evidence.is_silent(control.device)) ++counts.control_silent;
}

monitoring::GateResult Tally<SilenceGate>::judge(const StageEvidence&) const {
  return monitoring::judge_silence(counts, {gate.max});
}

GateForecast foresee(const SilenceGate& gate, const StageOutlook& outlook) {
  return {
      fmt::format("silence: absolute bound, fails when more than {} of {} devices send no window",
                  to_string(gate.max), outlook.devices),
      ""};
}

}  // namespace covey::engine
