// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/cohort.hpp"

namespace covey {
namespace {
constexpr std::string_view kCanary = "/canary";
constexpr std::string_view kControl = "/control";
}  // namespace

Cohort Cohort::canary(const RolloutName& rollout) {
  return Cohort(rollout.str() + std::string(kCanary));
}

Cohort Cohort::control(const RolloutName& rollout) {
  return Cohort(rollout.str() + std::string(kControl));
}

std::optional<Cohort> parse_cohort(std::string_view text) {
  if (text == Cohort().text()) return Cohort();
  for (const std::string_view side : {kCanary, kControl}) {
    if (!text.ends_with(side)) continue;
    if (!RolloutName::parse(std::string(text.substr(0, text.size() - side.size())))) break;
    return Cohort(std::string(text));
  }
  return std::nullopt;
}

}  // namespace covey
