// SPDX-License-Identifier: Apache-2.0
// What a plan says before it is too late: it can be checked without a rollout, and a rollout that
// begins says what its author may not have meant.
#include <gtest/gtest.h>

#include "gateway/engine/queries/queries.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

class PlanWarnings : public ::testing::Test {
 protected:
  PlanWarnings() { site.connect_broker(); }
  Site site;
};

std::vector<std::string> warnings_of(Site& site, const std::vector<StageDocument>& stages) {
  PlanDocument plan = simple_plan("looked-at", "1.1.0");
  plan.stages = stages;
  const Result<engine::CommandReply> reply = site.command(
      engine::CreateRollout{.document = plan, .request_id = "", .validate_only = true});
  EXPECT_TRUE(reply.ok()) << reply.error().message;
  return reply.ok() ? reply->warnings : std::vector<std::string>{};
}

TEST_F(PlanWarnings, APlanIsCheckedWithoutARollout) {
  site.push({1, 1, 0});
  site.join_many("d", 20);
  const size_t audited = site.audit().size();
  PlanDocument plan = simple_plan("looked-at", "1.1.0");
  const Result<engine::CommandReply> reply = site.command(
      engine::CreateRollout{.document = plan, .request_id = "r", .validate_only = true});
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  ASSERT_NE(reply->validated, nullptr);
  EXPECT_EQ(reply->validated->order.size(), 20U);
  EXPECT_TRUE(reply->warnings.empty()) << reply->warnings.front();
  EXPECT_TRUE(site.state().rollouts.by_name.empty());
  EXPECT_TRUE(site.state().rollouts.requests.empty());
  EXPECT_EQ(site.audit().size(), audited);
  plan.release = "bearing@9.9.9";
  EXPECT_EQ(
      site.command(engine::CreateRollout{.document = plan, .request_id = "", .validate_only = true})
          .error()
          .reason,
      "RELEASE_NOT_FOUND");
  EXPECT_TRUE(site.roll_out(simple_plan("looked-at", "1.1.0"), "r").ok());
}

TEST_F(PlanWarnings, APlanSaysWhatItsAuthorMayNotHaveMeant) {
  site.push({1, 1, 0});
  site.join_many("d", 20);
  std::vector<std::string> said =
      warnings_of(site, {stage("canary", "100%"), stage("fleet", "100%")});
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].find("stage canary: it takes every device"), 0U) << said[0];
  EXPECT_EQ(said[1].find("stage fleet: it has no device of its own"), 0U) << said[1];
  said = warnings_of(site, {stage("canary", "10%"), stage("fleet", "90%")});
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said[0].find("2 of 20 devices (10 %) are in no stage"), std::string::npos) << said[0];
  said = warnings_of(site, {stage("canary", "5"), stage("more", "10%"), stage("fleet", "100%")});
  ASSERT_EQ(said.size(), 1U) << said[0];
  EXPECT_EQ(said[0].find("stage more: it has no device of its own"), 0U) << said[0];
  // The one that begins says the same.
  PlanDocument plan = simple_plan("first", "1.1.0");
  plan.stages = {stage("canary", "10%"), stage("fleet", "90%")};
  const Result<engine::CommandReply> created = site.roll_out(plan);
  ASSERT_TRUE(created.ok());
  EXPECT_EQ(created->warnings.size(), 1U);
}

// A gate that can't pass with the labels that it may take, or whatever the labels, only costs the
// time until its stage's timeout.
TEST_F(PlanWarnings, AGateThatCanNeverPassIsRefused) {
  site.push({1, 1, 0});
  site.join_many("d", 60);
  PlanDocument plan = simple_plan("looked-at", "1.1.0");
  GateDocument::Accuracy gate{.non_inferior_by = "2pp"};
  gate.labels = 100;
  const auto create = [&](const char* size) {
    plan.stages = {stage("canary", size), stage("fleet", "100%")};
    plan.stages[0].gates = {GateDocument{.accuracy = gate}};
    plan.stages[1].gates = {GateDocument{.failures = GateDocument::Failures{.max = "5%"}}};
    return site.command(
        engine::CreateRollout{.document = plan, .request_id = "", .validate_only = true});
  };
  Result<engine::CommandReply> reply = create("50%");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().reason, "PLAN_CANNOT_DECIDE");
  EXPECT_NE(reply.error().message.find("stage canary: accuracy: labels: 100 can't decide 2%"),
            std::string::npos)
      << reply.error().message;
  gate.labels = 5000;
  EXPECT_TRUE(create("50%").ok());
  gate.labels.reset();
  EXPECT_TRUE(create("50%").ok());
}

TEST_F(PlanWarnings, APlanSaysWhatItsGatesCanFindOut) {
  site.push({1, 1, 0});
  site.join_many("d", 100);
  PlanDocument document = simple_plan("looked-at", "1.1.0");
  GateDocument::Accuracy gate{.non_inferior_by = "5pp"};
  gate.labels = 600;
  gate.labels_per_day = 200;
  document.stages = {stage("canary", "50%"), stage("fleet", "100%")};
  document.gates = {GateDocument{.accuracy = gate}};
  const Plan plan = *parse_plan(document);
  const auto preview = engine::preview_rollout(site.state(), plan);
  ASSERT_TRUE(preview.ok());
  const std::string said = engine::forecast_stage(plan, *preview, 0).gates.at(0);
  EXPECT_NE(said.find("with 261 canary labels (one of two), 750 (nine of ten)"), std::string::npos)
      << said;
  EXPECT_NE(said.find("with 600: an equal one passes in 8"), std::string::npos) << said;
  EXPECT_NE(said.find("6.0 days at 200 labels a day of both"), std::string::npos) << said;
}

}  // namespace
}  // namespace covey::test
