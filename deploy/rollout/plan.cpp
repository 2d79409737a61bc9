// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/plan.hpp"

namespace covey {

std::string_view to_string(StageMode mode) {
  switch (mode) {
    case StageMode::kActive:
      return "ACTIVE";
    case StageMode::kShadow:
      return "SHADOW";
  }
  return "UNKNOWN";
}

std::string_view to_string(OnFail action) {
  switch (action) {
    case OnFail::kRollback:
      return "ROLLBACK";
    case OnFail::kPause:
      return "PAUSE";
  }
  return "UNKNOWN";
}

std::string to_string(const StageSize& size) {
  return size.count > 0 ? std::to_string(size.count) : to_string(size.share);
}

Result<Plan> parse_plan(const PlanDocument& document) {
  PlanReading reading = read_plan(document);
  if (reading.plan) return *std::move(reading.plan);
  Error error = invalid(reading.problems.front().reason, "");
  for (const PlanProblem& problem : reading.problems) {
    if (problem.reason != error.reason) error.reason = "BAD_PLAN";
    if (!error.message.empty()) error.message += '\n';
    error.message += problem.path + ": " + problem.message;
  }
  return error;
}

}  // namespace covey
