// SPDX-License-Identifier: Apache-2.0
// Reads a PlanDocument and collects every problem with its path. Internal to deploy/rollout.
#pragma once

#include <string>
#include <vector>

#include "deploy/rollout/document/plan_values.hpp"
#include "deploy/rollout/plan.hpp"

namespace covey {

class PlanReader {
 public:
  PlanReading read(const PlanDocument& document);

 private:
  void read_spec(const PlanDocument& document, Plan& plan);
  void read_strata(const PlanDocument& document, Plan& plan);
  void read_attempt(const PlanDocument& document, Plan& plan);
  void read_stages(const PlanDocument& document, Plan& plan);
  Stage read_stage(const StageDocument& document, const std::string& path);
  StageSize read_size(const std::string& text, const std::string& path);
  void check_growth(const std::vector<Stage>& stages);

  PlanValues values_;
};

}  // namespace covey
