// SPDX-License-Identifier: Apache-2.0
// The gates' part of the state: judgements that go on. Soft: a start begins anew. Changed by
// gateway/engine/gates only.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/id.hpp"
#include "gateway/engine/gates/tallies.hpp"
#include "gateway/engine/rollouts/walk.hpp"

namespace covey::engine {

struct Judgement {
  size_t stage = 0;
  uint64_t revision = 0;  // of the rollout when it began
  bool in_pieces = false;
  std::vector<GateTally> tallies;
  Walk attempts;
  size_t control = 0;  // place in the order: looked at up to here
};

struct GatesState {
  std::map<RolloutName, Judgement> judgements;
};

}  // namespace covey::engine
