// SPDX-License-Identifier: Apache-2.0
// A goal that does not fit the wire is refused before it is made, and the operator is told why.
#include <gtest/gtest.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

// Says hello with `count` models, "bearing" first.
void run_models(Site& site, const std::string& id, int count) {
  engine::HelloMessage hello = site.hello_of(id);
  for (int i = 1; i < count; ++i) {
    ModelReport model = hello.models.front();
    model.model = ModelName("model-" + std::to_string(i));
    hello.models.push_back(std::move(model));
  }
  site.send(id, std::move(hello));
}

TEST(GoalSize, ADeviceOfTooManyModelsIsLeftOutWithTheReason) {
  Site site;
  site.push({1, 0, 0});
  const std::string crowded(63, 'c');
  site.join(crowded);
  site.join("roomy");
  run_models(site, crowded, 8);
  run_models(site, "roomy", 3);
  const Result<Plan> plan = parse_plan(simple_plan("r", "1.0.0"));
  ASSERT_TRUE(plan.ok());
  const auto preview = engine::preview_rollout(site.state(), *plan);
  ASSERT_TRUE(preview.ok());
  ASSERT_EQ(preview->excluded.size(), 1U);
  EXPECT_EQ(preview->excluded[0].device, DeviceId(crowded));
  EXPECT_EQ(preview->excluded[0].reason, "GOAL_TOO_LARGE");
  EXPECT_NE(preview->excluded[0].explanation.find("8 models"), std::string::npos)
      << preview->excluded[0].explanation;
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.pass(1s);
  EXPECT_EQ(site.attempts(crowded), 0U);
  EXPECT_EQ(site.newest("roomy").state, DeploymentState::kOffered);
}

// Fits alone, not beside another model's work: its turn comes.
TEST(GoalSize, WorkForTwoModelsWaitsForEachOther) {
  Device device;
  device.id = DeviceId(std::string(63, 'c'));
  for (const char* name : {"m0", "m1", "m2"}) device.models[ModelName(name)];
  engine::State state;
  const ModelName wanted("m0");
  const auto fits = [&](engine::Beside beside) {
    return engine::goal_fits(state, device, wanted, beside);
  };
  EXPECT_TRUE(fits(engine::Beside::kWorkOfNow));
  Deployment& other = state.rollouts.deployments[1];
  other = {.number = 1,
           .device = device.id,
           .release = {ModelName("m1"), Version{1, 0, 0}},
           .state = DeploymentState::kOffered};
  state.rollouts.newest_deployment[{device.id, ModelName("m1")}] = 1;
  EXPECT_TRUE(fits(engine::Beside::kNothing));
  EXPECT_FALSE(fits(engine::Beside::kWorkOfNow));
  other.state = DeploymentState::kConfirmed;
  EXPECT_TRUE(fits(engine::Beside::kWorkOfNow));
}

}  // namespace
}  // namespace covey::test
