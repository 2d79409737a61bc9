// What the gates of a stage say, and what they will. Each kind of gate has a file of its own here
// (rules.hpp). Engine thread.
#pragma once

#include <string>
#include <vector>

#include "gateway/engine/gates/rules.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- gates.cpp

rollout::StageFacts judge_stage(Turn& turn, const Rollout& rollout, size_t stage);
// How a gate will judge a stage that has not begun.
GateForecast foresee_gate(const Gate& gate, const StageOutlook& outlook);

}  // namespace covey::engine
