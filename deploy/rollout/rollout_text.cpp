// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/rollout_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::rollout {

std::string devices(uint64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "device" : "devices");
}

void say(std::string& text, const std::string& more) {
  if (!text.empty() && !more.empty()) text += "; ";
  text += more;
}

namespace {

constexpr size_t kNamedMax = 10;  // devices in a text

// Those of the target that can't take the release: by name as far as that is readable.
std::string left_out_text(const RolloutPlan& plan) {
  std::string names;
  size_t count = 0;
  for (const Exclusion& exclusion : plan.excluded) {
    if (exclusion.reason == kAlreadyRunning) continue;
    if (++count > kNamedMax) continue;
    if (!names.empty()) names += ", ";
    names += fmt::format("{} ({})", exclusion.device.str(), exclusion.reason);
  }
  if (count == 0) return "";
  if (count > kNamedMax) names += fmt::format(" and {} more", count - kNamedMax);
  return fmt::format("{} of the target can't take it: {}", devices(count), names);
}

}  // namespace

std::string nothing_to_do_text(const RolloutPlan& plan) {
  const std::string left_out = left_out_text(plan);
  if (left_out.empty()) return "every device of the target runs it already";
  const auto running =
      std::count_if(plan.excluded.begin(), plan.excluded.end(),
                    [](const Exclusion& e) { return e.reason == kAlreadyRunning; });
  return fmt::format("{} of the target run it already; {}", devices(static_cast<uint64_t>(running)),
                     left_out);
}

std::string success_text(const RolloutPlan& plan, const StageFacts& facts) {
  if (facts.targeted == 0) return left_out_text(plan);
  std::string text =
      facts.confirmed >= facts.targeted
          ? fmt::format("{} have proven that they run it", devices(facts.targeted))
          : fmt::format(
                "{} of {} have proven that they run it, {} not: `covey rollout deployments "
                "{}` names them",
                facts.confirmed, devices(facts.targeted), facts.targeted - facts.confirmed,
                plan.name.str());
  say(text, left_out_text(plan));
  return text;
}

std::string rollback_text(const RolloutPlan& plan, const RollbackFacts& facts) {
  std::string text;
  if (facts.outstanding > 0) {
    text = fmt::format("{} of {} are back, {} outstanding: their goal stands", facts.back,
                       devices(facts.back + facts.outstanding), facts.outstanding);
  } else if (facts.kept + facts.newer > 0) {
    text = devices(facts.back) + " are back";
  } else {
    text = facts.back > 0 ? "every device is back" : "no device had to go back";
  }
  if (facts.kept > 0) {
    say(text, fmt::format("{} had no release before and keep {}", facts.kept,
                          to_string(plan.rules.release)));
  }
  if (facts.newer > 0) say(text, fmt::format("{} have got something newer since", facts.newer));
  return text;
}

}  // namespace covey::rollout
