// SPDX-License-Identifier: Apache-2.0
// A rollout plan as a YAML file (apiVersion covey/v1, kind Rollout) -> PlanDocument. Every problem
// is found at once, each with its line and path; unknown keys are problems, so that a typing error
// never loosens a gate. Pure; any thread. Nothing is thrown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "deploy/rollout/plan.hpp"

namespace covey::cli {

struct PlanFileProblem {
  int line = 0;  // from 1; 0: the file as a whole
  std::string path;
  std::string message;

  bool operator==(const PlanFileProblem&) const = default;
};

struct PlanFile {
  PlanDocument document;  // complete only without problems
  std::vector<PlanFileProblem> problems;
};

// What the command line says instead of the file; "": nothing.
struct PlanOverrides {
  std::string name;
  std::string release;
  std::string source;
};

// Form and meaning: keys and types here, values by deploy/rollout/plan.hpp. Problems of form hide
// none of meaning, but for the value that has one already. In the order of lines.
PlanFile read_plan_file(const std::string& yaml, const PlanOverrides& overrides = {});
// BAD_PLAN with one line per problem: "plan.yaml:12: spec.stages[1].size: ...".
Error to_error(const std::vector<PlanFileProblem>& problems, std::string_view file);

}  // namespace covey::cli
