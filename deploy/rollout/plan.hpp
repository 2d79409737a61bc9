// SPDX-License-Identifier: Apache-2.0
// What a rollout plan means (Plan) whose document (document/document.hpp) says it. parse_plan()
// finds all errors at once, each with its path. Pure; any thread.
//
// Defaults:
//   target    "" is every device        on_fail  ROLLBACK
//   holdback  0%                        attempt  {deadline: 24h, retries: 2, backoff: 10m}
//   seed      the rollout's name        offline  {skip_after: 7d}
//   stages    mode ACTIVE, soak 0s, timeout 24h, max_in_flight 0 (no limit but the stage's size)
//   gates     failures {of: attempted, min_sample: 1}
//             accuracy {alpha: 5%, min_sample: 0, which is the gate's own minimum}
// A stage that lists gates has these instead of the plan's; a stage left without any gate gets
// failures {max: 5%}.
//
// Errors: BAD_PLAN. When nothing else is wrong: UNSUPPORTED_GATE, UNSUPPORTED_MODE,
// UNSUPPORTED_WINDOW.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.hpp"
#include "core/ratio.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "deploy/rollout/document/document.hpp"
#include "deploy/rollout/filter/filter.hpp"
#include "deploy/rollout/gates/gates.hpp"

namespace covey {

enum class StageMode : uint8_t { kActive, kShadow };
enum class OnFail : uint8_t { kRollback, kPause };
std::string_view to_string(StageMode mode);  // as in the document
std::string_view to_string(OnFail action);

struct StageSize {
  uint32_t count = 0;  // 0: `share` holds
  Ratio share;
  bool operator==(const StageSize&) const = default;
};
std::string to_string(const StageSize& size);

struct Stage {
  std::string name;
  StageMode mode = StageMode::kActive;
  StageSize size;
  Millis soak{0};
  uint32_t max_in_flight = 0;  // 0: no limit
  bool approval_required = false;
  Millis timeout{24h};      // longest wait for a decision after the soak, then INCONCLUSIVE
  std::vector<Gate> gates;  // at least one, each kind at most once
  bool operator==(const Stage&) const = default;
};

struct AttemptRules {
  Millis deadline{24h};
  uint32_t retries = 2;
  Millis backoff{10min};
  bool operator==(const AttemptRules&) const = default;
};

struct Plan {
  RolloutName name;
  ReleaseId release;
  Filter target;
  std::vector<std::string> strata;  // filter fields
  Ratio holdback;
  std::string seed;
  std::vector<Stage> stages;
  OnFail on_fail = OnFail::kRollback;
  AttemptRules attempt;
  Millis skip_after{24h * 7};
  bool operator==(const Plan&) const = default;
};

struct PlanReading {
  std::optional<Plan> plan;  // set when there are no problems
  std::vector<PlanProblem> problems;
};

PlanReading read_plan(const PlanDocument& document);
// The same with all problems in one Error, one line each: "spec.stages[1].size: ...".
Result<Plan> parse_plan(const PlanDocument& document);

}  // namespace covey
