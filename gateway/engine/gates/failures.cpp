// SPDX-License-Identifier: Apache-2.0
#include "monitoring/gates/failures.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/engine/gates/rules.hpp"

namespace covey::engine {
namespace {

// Attempted is what reached DOWNLOADING, a device once; reported is what sent a window of the
// release since.
bool counts_as(Denominator of, const Deployment& deployment, const StageEvidence& evidence) {
  switch (of) {
    case Denominator::kTargeted:
      return true;
    case Denominator::kAttempted:
      return deployment.attempted;
    case Denominator::kReported:
      return evidence.has_reported(deployment);
  }
  return true;
}

bool ended_badly(const Deployment& deployment) {
  return deployment.state == DeploymentState::kFailed ||
         deployment.state == DeploymentState::kReverted ||
         deployment.state == DeploymentState::kTimedOut ||
         deployment.state == DeploymentState::kDeclined;
}

}  // namespace

void Tally<FailuresGate>::take(const Deployment& d, const StageEvidence& evidence) {
  if (has_left(d)) {
    ++left;
    return;
  }
  ++attempts;
  const bool everybody = gate.of == Denominator::kTargeted;
  const bool open = !has_ended(d.state) || evidence.retry_follows(d);
  // Whoever never took the offer says nothing about the release; the stage misses it all the same.
  const bool ignored = d.reason == "OFFER_LAPSED" && !d.attempted && !everybody;
  const bool failed = !open && !ignored && (ended_badly(d) || evidence.left_release(d));
  // A failure is evidence, whatever the denominator: a device that declines for good was never
  // attempted, one that reverts at once never reported.
  if (everybody || failed || counts_as(gate.of, d, evidence)) {
    ++counts.counted;
    if (open) ++counts.in_progress;
    if (failed) ++counts.failed;
  } else if (has_ended(d.state) && !open && d.state != DeploymentState::kConfirmed) {
    ++counts.excluded;
  }
}

monitoring::GateResult Tally<FailuresGate>::judge(const StageEvidence& evidence) const {
  monitoring::FailureCounts all = counts;
  all.targeted = evidence.targeted() - std::min(evidence.targeted(), left);
  // Those that could not be queued: the stage has them, but they will never do anything.
  const uint64_t absent = all.targeted - std::min(all.targeted, attempts);
  (gate.of == Denominator::kTargeted ? all.counted : all.excluded) += absent;
  return monitoring::judge_failures(all,
                                    {gate.max, gate.min_sample, std::string(to_string(gate.of))});
}

GateForecast foresee(const FailuresGate& gate, const StageOutlook& outlook) {
  GateForecast forecast;
  forecast.words = fmt::format("failures: absolute bound, fails above {} of {}; needs {} device(s)",
                               to_string(gate.max), to_string(gate.of), gate.min_sample);
  if (gate.min_sample > outlook.devices) {
    forecast.warning = fmt::format(
        "failures: min_sample {} is more than the stage's {} device(s): all of them will do",
        gate.min_sample, outlook.devices);
  }
  return forecast;
}

}  // namespace covey::engine
