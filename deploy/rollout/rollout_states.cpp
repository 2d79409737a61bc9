// SPDX-License-Identifier: Apache-2.0
// States of rollouts and stages as text, and back.
#include <array>
#include <utility>

#include "deploy/rollout/rollout.hpp"

namespace covey {
namespace {

constexpr std::array<std::pair<RolloutState, std::string_view>, 8> kRolloutStates{{
    {RolloutState::kDraft, "DRAFT"},
    {RolloutState::kAwaitingApproval, "AWAITING_APPROVAL"},
    {RolloutState::kRunning, "RUNNING"},
    {RolloutState::kPaused, "PAUSED"},
    {RolloutState::kRollingBack, "ROLLING_BACK"},
    {RolloutState::kSucceeded, "SUCCEEDED"},
    {RolloutState::kAborted, "ABORTED"},
    {RolloutState::kRolledBack, "ROLLED_BACK"},
}};

constexpr std::array<std::pair<StageState, std::string_view>, 7> kStageStates{{
    {StageState::kPending, "PENDING"},
    {StageState::kDeploying, "DEPLOYING"},
    {StageState::kSoaking, "SOAKING"},
    {StageState::kAnalyzing, "ANALYZING"},
    {StageState::kPassed, "PASSED"},
    {StageState::kFailed, "FAILED"},
    {StageState::kInconclusive, "INCONCLUSIVE"},
}};

}  // namespace

std::string_view to_string(RolloutState state) {
  for (const auto& [value, text] : kRolloutStates) {
    if (value == state) return text;
  }
  return "UNKNOWN";
}

std::optional<RolloutState> parse_rollout_state(std::string_view text) {
  for (const auto& [value, name] : kRolloutStates) {
    if (name == text) return value;
  }
  return std::nullopt;
}

bool has_ended(RolloutState state) {
  return state == RolloutState::kSucceeded || state == RolloutState::kAborted ||
         state == RolloutState::kRolledBack;
}

std::string_view to_string(StageState state) {
  for (const auto& [value, text] : kStageStates) {
    if (value == state) return text;
  }
  return "UNKNOWN";
}

std::optional<StageState> parse_stage_state(std::string_view text) {
  for (const auto& [value, name] : kStageStates) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace covey
