// SPDX-License-Identifier: Apache-2.0
// What the engine does for each kind of gate, in a file of that kind's name: which evidence it adds
// up and what follows (tallies.hpp), and how it will judge a stage, in words (foresee). A kind of
// the plan without them does not compile. Engine thread.
#pragma once

#include <cstddef>
#include <string>

#include "deploy/rollout/gates/gates.hpp"
#include "gateway/engine/gates/evidence.hpp"
#include "gateway/engine/gates/tallies.hpp"
#include "monitoring/gates/gates.hpp"

namespace covey::engine {

// Of a stage that has not begun.
struct StageOutlook {
  size_t devices = 0;  // up to its end
  size_t control = 0;  // that it leaves
};
struct GateForecast {
  std::string words;
  std::string warning;     // what will make it hard; may be empty
  std::string impossible;  // why it can never pass, and what would help; may be empty
};

GateForecast foresee(const FailuresGate& gate, const StageOutlook& outlook);

GateForecast foresee(const SilenceGate& gate, const StageOutlook& outlook);

GateForecast foresee(const AccuracyGate& gate, const StageOutlook& outlook);

}  // namespace covey::engine
