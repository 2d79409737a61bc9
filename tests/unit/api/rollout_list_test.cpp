// SPDX-License-Identifier: Apache-2.0
// What lists of rollouts weigh: they are made often, and rollouts stay for years.
#include <gtest/gtest.h>

#include <set>

#include <fmt/format.h>

#include "gateway/api/limits.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/codec/plan_codec.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::api {
namespace {

// A rollout in three stages over 3,000 devices, a third of which ran the release already.
Rollout rollout(int number) {
  RolloutPlan plan;
  plan.document = test::simple_plan(fmt::format("bearing-vibration-{}", number), "1.1.0");
  plan.document.stages = {test::stage("canary", "5%"), test::stage("quarter", "25%"),
                          test::stage("fleet", "100%")};
  Result<Plan> rules = parse_plan(plan.document);
  EXPECT_TRUE(rules.ok());
  plan.name = rules->name;
  plan.rules = *std::move(rules);
  for (int i = 0; i < 2000; ++i) plan.order.emplace_back(fmt::format("press-line-{:04}", i));
  for (int i = 2000; i < 3000; ++i) {
    plan.excluded.push_back(
        {DeviceId(fmt::format("press-line-{:04}", i)), "ALREADY_RUNNING", "runs bearing@1.1.0"});
  }
  plan.ends = {100, 500, 2000};
  plan.creator = "alice";
  RolloutProgress progress;
  progress.state = RolloutState::kSucceeded;
  progress.stages.assign(3, {.state = StageState::kPassed,
                             .start_wall = 1'700'000'000'000ms,
                             .end_wall = 1'700'000'000'000ms});
  progress.revision = 1'000'000;
  return {std::make_shared<const RolloutPlan>(std::move(plan)), progress};
}

TEST(RolloutList, ThreeHundredOverThreeThousandDevicesAreUnder200KB) {
  engine::State state;
  v1::ListRolloutsResponse list;
  for (int i = 0; i < 300; ++i) {
    const Rollout each = rollout(i);
    for (uint32_t stage = 0; stage < 3; ++stage) {
      state.rollouts.counts[{each.plan->name, stage, false, "CONFIRMED"}] = 480;
      state.rollouts.counts[{each.plan->name, stage, false, "FAILED"}] = 3;
      state.rollouts.gates[{each.plan->name, stage}].results.push_back(
          {.gate = "failures",
           .verdict = Verdict::kPass,
           .reason = "WITHIN_BOUND",
           .explanation = "3 of 483 attempted devices failed, at most 5% may",
           .measures = {}});
    }
    fill_summary(*list.add_rollouts(), state, each);
  }
  EXPECT_LT(list.ByteSizeLong(), 200'000U);
}

TEST(RolloutList, ARolloutByItselfIsWhole) {
  engine::State state;
  const Rollout one = rollout(1);
  state.rollouts.gates[{one.plan->name, 1}].results.push_back({.gate = "failures"});
  v1::Rollout whole;
  fill(whole, state, one);
  // What is left out comes by pages.
  EXPECT_EQ(whole.excluded_devices(), 1000U);
  ASSERT_EQ(static_cast<size_t>(whole.excluded_size()), kExclusionsShown);
  std::set<std::string> seen;
  while (whole.excluded_size() > 0) {
    for (const v1::Exclusion& exclusion : whole.excluded()) seen.insert(exclusion.device());
    const std::string last = whole.excluded().rbegin()->device();
    fill_exclusions(whole, one.plan->excluded, DeviceId(last));
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(whole.stages(1).gates_size(), 1);
}

}  // namespace
}  // namespace covey::api
