// SPDX-License-Identifier: Apache-2.0
// What each kind of gate adds up over the devices of a stage, one after the other: over several
// ticks where they are many. A kind of the plan without its tally does not compile. Values; engine
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/id.hpp"
#include "deploy/deployment/deployment.hpp"
#include "deploy/rollout/gates/gates.hpp"
#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/gates/failures.hpp"
#include "monitoring/gates/gates.hpp"
#include "monitoring/gates/silence.hpp"

namespace covey::engine {

class StageEvidence;

// take(attempt): the newest attempt of a device of the stage. take(control): a device that the
// stage leaves out, or that it is compared with all the same (StageEvidence::control_begin).
struct Control {
  const DeviceId& device;
  bool in_stage = false;
};
template <typename Gate>
struct Tally;

template <>
struct Tally<FailuresGate> {
  FailuresGate gate;
  monitoring::FailureCounts counts{};
  uint64_t attempts = 0;
  uint64_t left = 0;  // their devices: they are not of the stage any more

  void take(const Deployment& attempt, const StageEvidence& evidence);
  void take(const Control&, const StageEvidence&) {}
  monitoring::GateResult judge(const StageEvidence& evidence) const;
};

template <>
struct Tally<SilenceGate> {
  SilenceGate gate;
  monitoring::SilenceCounts counts{};

  void take(const Deployment& attempt, const StageEvidence& evidence);
  void take(const Control& control, const StageEvidence& evidence);
  monitoring::GateResult judge(const StageEvidence& evidence) const;
};

template <>
struct Tally<AccuracyGate> {
  AccuracyGate gate;
  std::vector<monitoring::StratumLabels> strata{};  // by name

  void take(const Deployment& attempt, const StageEvidence& evidence);
  void take(const Control& control, const StageEvidence& evidence);
  monitoring::GateResult judge(const StageEvidence& evidence) const;

 private:
  monitoring::StratumLabels& stratum_of(const DeviceId& device, const StageEvidence& evidence);
};

template <typename... Kinds>
std::variant<Tally<Kinds>...> tally_of(const std::variant<Kinds...>& gate) {
  return std::visit(
      [](const auto& kind) -> std::variant<Tally<Kinds>...> {
        return Tally<std::decay_t<decltype(kind)>>{.gate = kind};
      },
      gate);
}
using GateTally = decltype(tally_of(Gate{}));

}  // namespace covey::engine
