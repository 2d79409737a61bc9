// What the gates of a stage say. Engine thread.
#pragma once

#include <string>
#include <vector>

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- gates.cpp

rollout::StageFacts judge_stage(Turn& turn, const Rollout& rollout, size_t stage);

}  // namespace covey::engine
