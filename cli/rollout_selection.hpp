// SPDX-License-Identifier: Apache-2.0
// Which rollouts `covey rollout list` shows, newest first. Pure. Errors: BAD_FILTER, BAD_STATE
// (with the nearest name).
#pragma once

#include <string>

#include "core/result.hpp"
#include "covey/v1/rollouts.pb.h"
#include "deploy/rollout/filter/filter.hpp"

namespace covey::cli {

class RolloutSelection {
 public:
  // A state as tables show it, small or capital letters; a filter over name, state, reason,
  // release, model and creator. "" each: all.
  static Result<RolloutSelection> parse(const std::string& state, const std::string& filter);

  v1::ListRolloutsResponse of(const v1::ListRolloutsResponse& all) const;

 private:
  std::string state_;
  Filter filter_;
};

}  // namespace covey::cli
