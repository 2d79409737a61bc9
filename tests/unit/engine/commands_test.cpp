// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    site.push({1, 0, 0});
    site.join_many("d", 3);
  }
  Site site;
};

TEST_F(Commands, ARequestIdMakesARepetitionHarmless) {
  const PlanDocument plan = simple_plan("r", "1.0.0");
  const auto first = site.roll_out(plan, "req-1");
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->already_existed);
  const auto again = site.roll_out(plan, "req-1");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->already_existed);
  EXPECT_EQ(again->subject, "r");
  site.restart();
  EXPECT_TRUE(site.roll_out(plan, "req-1")->already_existed) << "forgotten by a restart";
  EXPECT_EQ(site.roll_out(plan).error().reason, "ROLLOUT_EXISTS");
  EXPECT_EQ(site.roll_out(plan, std::string(65, 'x')).error().reason, "BAD_REQUEST_ID");
}

TEST_F(Commands, ARequestIdOfAnotherPlanIsRefused) {
  const PlanDocument plan = simple_plan("r", "1.0.0");
  ASSERT_TRUE(site.roll_out(plan, "req-1").ok());
  const auto refused = [&](const std::string& what, const auto& change) {
    PlanDocument other = plan;
    change(other);
    const auto reply = site.roll_out(other, "req-1");
    ASSERT_FALSE(reply.ok()) << what << " was taken for the same request";
    EXPECT_EQ(reply.error().reason, "REQUEST_ID_REUSED") << what;
  };
  refused("name", [](PlanDocument& p) { p.name = "r2"; });
  refused("target", [](PlanDocument& p) { p.target = R"(class = "m4")"; });
  refused("gates", [](PlanDocument& p) { p.gates = {failures_gate("99%")}; });
  refused("stage's gates", [](PlanDocument& p) { p.stages[0].gates = {failures_gate("99%")}; });
  refused("max_in_flight", [](PlanDocument& p) { p.stages[0].max_in_flight = 1; });
  refused("retries", [](PlanDocument& p) { p.attempt.retries = 7; });
  refused("strata", [](PlanDocument& p) { p.strata = {"class"}; });
  refused("seed", [](PlanDocument& p) { p.seed = "s"; });
  refused("skip_after", [](PlanDocument& p) { p.offline.skip_after = "1h"; });
  refused("timeout", [](PlanDocument& p) { p.stages[0].timeout = "1h"; });
}

TEST_F(Commands, AnEtagOfThePastIsRefused) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  const std::string etag = std::to_string(site.rollout("r").progress.revision);
  ASSERT_TRUE(site.command(engine::PauseRollout{RolloutName("r"), ""}, etag).ok());
  const auto stale = site.command(engine::ResumeRollout{RolloutName("r")}, etag);
  ASSERT_FALSE(stale.ok());
  EXPECT_EQ(stale.error().reason, "ETAG_MISMATCH");
  EXPECT_EQ(stale.error().code, Code::kAborted);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kPaused);
}

TEST_F(Commands, OverlappingRolloutsOfOneModelAreRefused) {
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  site.push({1, 1, 0});
  const auto second = site.roll_out(simple_plan("r2", "1.1.0"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, "ROLLOUT_OVERLAPS");
  EXPECT_FALSE(site.state().rollouts.by_name.contains(RolloutName("r2")));
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("r"), true, ""}).ok());
  EXPECT_TRUE(site.roll_out(simple_plan("r2", "1.1.0")).ok());
}

TEST_F(Commands, AReleaseNeverChanges) {
  const auto same = site.command(engine::CreateRelease{
      {ModelName("bearing"), {1, 0, 0}},
      {site.state().catalogue.releases.begin()->second.artifacts.front().artifact}});
  ASSERT_TRUE(same.ok());
  EXPECT_TRUE(same->already_existed);
  const auto other = site.command(
      engine::CreateRelease{{ModelName("bearing"), {1, 0, 0}}, {site.open({1, 0, 0}, {"m4"}, 9)}});
  EXPECT_EQ(other.error().reason, "RELEASE_EXISTS");
  const auto wrong = site.command(
      engine::CreateRelease{{ModelName("bearing"), {2, 0, 0}}, {site.open({1, 2, 0})}});
  EXPECT_EQ(wrong.error().reason, "RELEASE_MISMATCH");
  EXPECT_EQ(
      site.command(engine::CreateRelease{{ModelName("bearing"), {3, 0, 0}}, {}}).error().reason,
      "NO_ARTIFACT");
  const auto twice = site.command(
      engine::CreateRelease{{ModelName("bearing"), {1, 2, 0}},
                            {site.open({1, 2, 0}, {"m4", "m7"}), site.open({1, 2, 0}, {"m7"}, 1)}});
  EXPECT_EQ(twice.error().reason, "CLASS_TWICE");
}

TEST_F(Commands, WhereAReleaseWasMadeIsKeptAsItWasSaidFirst) {
  const ReleaseId id{ModelName("bearing"), {4, 0, 0}};
  const auto artifact = site.open({4, 0, 0});
  ASSERT_TRUE(site.command(engine::CreateRelease{id, {artifact}, "git 3f2a1c9"}).ok());
  ASSERT_TRUE(site.command(engine::CreateRelease{id, {artifact}, "git 0000000"}).ok());
  EXPECT_EQ(site.state().catalogue.releases.at(id).source, "git 3f2a1c9");
  site.restart();
  EXPECT_EQ(site.state().catalogue.releases.at(id).source, "git 3f2a1c9");
}

TEST_F(Commands, AKeyThatIsGoneSignsNothing) {
  const auto artifact = site.open({1, 1, 0});
  const std::string key = site.state().catalogue.trusted_keys.begin()->first;
  ASSERT_TRUE(site.command(engine::RemoveTrustedKeyCommand{key}).ok());
  const auto reply =
      site.command(engine::CreateRelease{{ModelName("bearing"), {1, 1, 0}}, {artifact}});
  EXPECT_FALSE(reply.ok());
  EXPECT_EQ(site.command(engine::RemoveTrustedKeyCommand{key}).error().code, Code::kNotFound);
}

TEST_F(Commands, RefusedOnesChangeNothing) {
  const Snapshot before = site.engine().snapshot();
  const size_t audit = site.audit().size();
  EXPECT_EQ(site.roll_out(simple_plan("r", "9.9.9")).error().reason, "RELEASE_NOT_FOUND");
  EXPECT_EQ(site.command(engine::PauseRollout{RolloutName("none"), ""}).error().code,
            Code::kNotFound);
  EXPECT_EQ(site.command(engine::ReenrollDevice{DeviceId("none")}).error().code, Code::kNotFound);
  EXPECT_EQ(site.command(engine::AcknowledgeAlert{"none"}).error().code, Code::kNotFound);
  PlanDocument nobody = simple_plan("r", "1.0.0");
  nobody.target = R"(class = "none")";
  EXPECT_EQ(site.roll_out(nobody).error().reason, "NO_DEVICES");
  EXPECT_FALSE(site.roll_out(PlanDocument{}).ok());
  EXPECT_FALSE(site.command(engine::LabelDevices{
                                {.ids = {DeviceId("d0")}, .filter = ""}, {{"a b", "c"}}, {}})
                   .ok());
  EXPECT_EQ(site.audit().size(), audit + 7) << "that they were asked for is on record";
  Snapshot after = site.engine().snapshot();
  after.site = before.site;
  EXPECT_EQ(after, before);
}

TEST_F(Commands, LabelsAreAllOrNothing) {
  std::map<std::string, std::string> many;
  for (int i = 0; i < 32; ++i) many["k" + std::to_string(i)] = "v";
  ASSERT_TRUE(
      site.command(engine::LabelDevices{{.ids = {DeviceId("d1")}, .filter = ""}, many, {}}).ok());
  const auto reply = site.command(engine::LabelDevices{
      {.ids = {DeviceId("d0"), DeviceId("d1")}, .filter = ""}, {{"x", "y"}}, {}});
  EXPECT_EQ(reply.error().reason, "TOO_MANY_LABELS");
  EXPECT_TRUE(site.state().fleet.devices.at(DeviceId("d0")).labels.empty());
}

// Two writers that read the same device: the second one must look again.
TEST_F(Commands, LabelsAreSetOnlyWhileTheEtagHolds) {
  const engine::DeviceSelection d0{.ids = {DeviceId("d0")}, .filter = ""};
  const std::string etag = engine::etag_of(site.state().fleet.devices.at(DeviceId("d0")));
  ASSERT_TRUE(site.command(engine::LabelDevices{d0, {{"hall", "1"}}, {}}, etag).ok());
  const auto second = site.command(engine::LabelDevices{d0, {{"hall", "2"}}, {}}, etag);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, "ETAG_MISMATCH");
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("d0")).labels.at("hall"), "1");
  const auto both = site.command(
      engine::LabelDevices{
          {.ids = {DeviceId("d0"), DeviceId("d1")}, .filter = ""}, {{"a", "b"}}, {}},
      etag);
  EXPECT_EQ(both.error().reason, "BAD_FIELD");
}

TEST_F(Commands, EveryMutationIsInTheAuditLogWithItsActor) {
  ASSERT_TRUE(site.command(
                      engine::LabelDevices{
                          {.ids = {DeviceId("d0")}, .filter = ""}, {{"line", "press"}}, {}},
                      "", "bob")
                  .ok());
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0"), "q").ok());
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0"), "q").ok());
  const std::vector<AuditRecord> audit = site.audit();
  ASSERT_GE(audit.size(), 2U);
  EXPECT_EQ(audit[0].action, "CREATE_ROLLOUT");
  EXPECT_EQ(audit[0].actor, "alice");
  EXPECT_EQ(audit[0].subject, "r");
  EXPECT_EQ(audit[1].action, "LABEL_DEVICES");
  EXPECT_EQ(audit[1].actor, "bob");
  EXPECT_EQ(audit[0].sequence, audit[1].sequence + 1) << "a repetition is no mutation";
}

// Who, what, on which, why: of what was refused, too.
TEST(AuditLog, SaysWhatWasChanged) {
  Site site;
  site.join_many("d", 30);
  const engine::DeviceSelection two{.ids = {DeviceId("d1"), DeviceId("d2")}};
  ASSERT_TRUE(site.command(engine::LabelDevices{two, {{"hall", "3"}}, {"line"}}).ok());
  EXPECT_EQ(site.audit().front().subject, "2 devices");
  EXPECT_EQ(site.audit().front().detail, "set hall=3; remove line; d1, d2");
  const engine::DeviceSelection one{.ids = {DeviceId("d1")}};
  ASSERT_TRUE(site.command(engine::LabelDevices{one, {{"hall", "4"}}, {}}).ok());
  EXPECT_EQ(site.audit().front().subject, "d1");
  EXPECT_EQ(site.audit().front().detail, "set hall=4");
  const engine::DeviceSelection all{.ids = {}, .filter = "", .all = true};
  ASSERT_TRUE(site.command(engine::LabelDevices{all, {{"site", "a"}}, {}}).ok());
  const std::string detail = site.audit().front().detail;
  EXPECT_NE(detail.find("and 20 more, sha256 "), std::string::npos) << detail;

  const engine::PauseRollout pause{RolloutName("none"), "noise in hall 2"};
  EXPECT_FALSE(site.command(pause).ok());
  EXPECT_EQ(site.audit().front().action, "PAUSE_ROLLOUT");
  EXPECT_EQ(site.audit().front().subject, "none");
  EXPECT_EQ(site.audit().front().detail.find("refused, NOT_FOUND: "), 0U);
  const size_t before = site.audit().size();
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(site.command(pause).ok());
  EXPECT_LE(site.audit().size(), before + kRefusalsNotedPerMinute);
}

// A limit is of what results.
TEST(LabelLimit, IsOfWhatResults) {
  Site site;
  site.join("a");
  engine::LabelDevices full{.devices = {.ids = {DeviceId("a")}}, .set = {}, .remove = {}};
  for (size_t i = 0; i < kLabelsPerDeviceMax; ++i) full.set["k" + std::to_string(i)] = "v";
  ASSERT_TRUE(site.command(full).ok());
  const engine::DeviceSelection a{.ids = {DeviceId("a")}};
  EXPECT_TRUE(site.command(engine::LabelDevices{a, {{"k1", "changed"}}, {}}).ok());
  EXPECT_TRUE(site.command(engine::LabelDevices{a, {{"more", "x"}}, {"k2"}}).ok());
  const auto refused = site.command(engine::LabelDevices{a, {{"k2", "x"}}, {}});
  EXPECT_EQ(refused.error().reason, "TOO_MANY_LABELS");
  EXPECT_NE(refused.error().message.find("33 labels, at most 32"), std::string::npos);
}

TEST_F(Commands, WhoApprovedIsKeptAndMayHaveToBeAnother) {
  engine::EngineConfig config = quick_config();
  config.approval_by_another = true;
  site.restart(config);
  site.push({1, 1, 0});
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages.front().approval = "required";
  ASSERT_TRUE(site.roll_out(plan).ok());  // alice's
  site.pass(3s, 1s);
  ASSERT_EQ(site.rollout("r").progress.state, RolloutState::kAwaitingApproval);
  const auto approve = [&](const char* who) {
    return site.command(engine::ApproveRollout{RolloutName("r")}, "", who);
  };
  const auto refused = approve("alice");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, "SAME_PERSON");
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kAwaitingApproval);
  ASSERT_TRUE(approve("bob").ok());
  EXPECT_EQ(site.rollout("r").progress.stages.front().approver, "bob");
  EXPECT_EQ(site.audit().front().action, "APPROVE_ROLLOUT");
  site.check_reload();
  config.approval_by_another = false;
  site.restart(config);
  PlanDocument own = simple_plan("own", "1.1.0");
  own.stages.front().approval = "required";
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("r"), true, ""}).ok());
  site.pass(3s, 1s);
  ASSERT_TRUE(site.roll_out(own).ok());
  site.pass(3s, 1s);
  EXPECT_TRUE(site.command(engine::ApproveRollout{RolloutName("own")}).ok()) << "any operator";
}

}  // namespace
}  // namespace covey::test
