// SPDX-License-Identifier: Apache-2.0
// What the gates of a stage say, and what they will. Each kind of gate has a file of its own here
// (rules.hpp). Engine thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/engine/gates/rules.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- gates.cpp

// Looks at some devices of the stage, as many as the budget has; nullopt: not at all of them yet.
std::optional<rollout::StageFacts> judge_stage(Turn& turn, const Rollout& rollout, size_t stage,
                                               TickBudget& budget);
// The rollout stands elsewhere now: what was seen so far says nothing.
void forget_judgement(Turn& turn, const RolloutName& rollout);
// How a gate will judge a stage that has not begun.
GateForecast foresee_gate(const Gate& gate, const StageOutlook& outlook);

}  // namespace covey::engine
