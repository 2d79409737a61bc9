// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;

const engine::PublishGrant& grant(const std::vector<engine::Effect>& effects) {
  static const engine::PublishGrant kNone{};
  const auto* found = find<engine::PublishGrant>(effects);
  EXPECT_NE(found, nullptr);
  return found == nullptr ? kNone : *found;
}

engine::EnrollReceived request(Site& site, const std::string& id, uint64_t nonce) {
  return {DeviceId(id), {DeviceId(id), nonce, site.device(id).facts, {ModelName("bearing")}}};
}

TEST(Enrolment, WaitsForAnOperatorAndIsAnsweredWheneverItAsks) {
  Site site;
  site.enroll("a");
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("a")).state, DeviceState::kPending);
  const auto again = site.handle(request(site, "a", 1));
  EXPECT_EQ(grant(again).grant.state, engine::EnrollState::kPending);
  EXPECT_TRUE(grant(again).grant.password.empty());
  EXPECT_TRUE(grant(again).grant.order_key.is_zero());

  const auto accepted = site.handle(engine::CommandReceived{
      1, {engine::AcceptDevices{{.ids = {DeviceId("a")}, .filter = ""}}, "alice", ""}});
  // The broker lets it in before it is told that it may come.
  size_t credential = 0;
  size_t told = 0;
  for (size_t i = 0; i < accepted.size(); ++i) {
    if (std::holds_alternative<engine::SetCredential>(accepted[i])) credential = i;
    if (std::holds_alternative<engine::PublishGrant>(accepted[i])) told = i;
  }
  EXPECT_LT(credential, told);
  EXPECT_EQ(grant(accepted).grant.nonce, 1U);

  // The grant was lost: the same nonce gets the same keys again, also after a restart.
  site.restart();
  const auto repeated = site.handle(request(site, "a", 1));
  EXPECT_EQ(grant(repeated).grant.order_key, grant(accepted).grant.order_key);
  EXPECT_EQ(grant(repeated).grant.password, grant(accepted).grant.password);
  EXPECT_EQ(grant(repeated).grant.state, engine::EnrollState::kAccepted);
  site.check_reload();
}

TEST(Enrolment, AnotherNonceUnderAnAcceptedIdIsRefused) {
  Site site;
  site.join("a");
  const auto effects = site.handle(request(site, "a", 2));
  EXPECT_EQ(find<engine::PublishGrant>(effects), nullptr) << "keys for whoever asks";
  EXPECT_EQ(site.drops(Drop::kEnrollRefused), 1U);

  // Accepted, but never heard of since: somebody else may not take its place either.
  site.enroll("b", 7);
  site.accept("b");
  EXPECT_EQ(find<engine::PublishGrant>(site.handle(request(site, "b", 8))), nullptr);
  EXPECT_EQ(site.drops(Drop::kEnrollRefused), 2U);
}

TEST(Enrolment, ReenrolmentRotatesTheKeys) {
  Site site;
  site.join("a");
  const Digest old_key =
      engine::order_key(site.state(), site.state().fleet.devices.at(DeviceId("a")));
  const engine::FromDevice old_word = site.sealed("a", site.hello_of("a"));
  const auto effects =
      site.handle(engine::CommandReceived{1, {engine::ReenrollDevice{DeviceId("a")}, "alice", ""}});
  ASSERT_NE(find<engine::SetCredential>(effects), nullptr);
  EXPECT_EQ(find<engine::SetCredential>(effects)->password, "") << "shut out at once";
  site.handle(old_word);
  EXPECT_EQ(site.drops(Drop::kNotAccepted), 1U);

  site.enroll("a", 99);
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("a")).state, DeviceState::kPending);
  site.accept("a");
  EXPECT_NE(engine::order_key(site.state(), site.state().fleet.devices.at(DeviceId("a"))), old_key);
  site.handle(old_word);
  EXPECT_EQ(site.drops(Drop::kMacInvalid), 1U) << "the old key still works";
  site.hello("a");
  EXPECT_TRUE(site.state().fleet.devices.at(DeviceId("a")).enrolled);
}

TEST(Enrolment, RejectedIsToldSoAndAcceptedByNameOnly) {
  Site site;
  site.enroll("a");
  site.enroll("b");
  const auto effects =
      site.handle(engine::CommandReceived{1, {engine::RejectDevice{DeviceId("a")}, "alice", ""}});
  EXPECT_EQ(grant(effects).grant.state, engine::EnrollState::kRejected);
  const auto all = site.command(engine::AcceptDevices{{.ids = {}, .filter = "", .all = true}});
  EXPECT_EQ(all->changed, 1U) << "only the one that waits";
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("a")).state, DeviceState::kRejected);
  const auto named = site.command(engine::AcceptDevices{{.ids = {DeviceId("a")}, .filter = ""}});
  EXPECT_EQ(named->changed, 1U);
  // An accepted one too: its keys are void at once.
  const auto late =
      site.handle(engine::CommandReceived{1, {engine::RejectDevice{DeviceId("a")}, "alice", ""}});
  EXPECT_EQ(find<engine::SetCredential>(late)->password, "");
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("a")).state, DeviceState::kRejected);
  EXPECT_EQ(site.command(engine::AcceptDevices{}).error().reason, "NO_DEVICES");
}

// What the broker keeps of a device whose keys are void is said to nobody.
TEST(Enrolment, VoidKeysTakeTheGoalFromTheBroker) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  for (const bool reject : {true, false}) {
    const std::string id = reject ? "rejected" : "anew";
    site.join(id);
    site.run(id, {1, 0, 0});
    PlanDocument plan = simple_plan("to-" + id, "1.1.0");
    plan.target = fmt::format(R"(id = "{}")", id);
    ASSERT_TRUE(site.roll_out(plan).ok());
    site.pass(2s);
    ASSERT_EQ(site.newest(id).state, DeploymentState::kOffered);
    std::string said;
    site.on_said = [&](const engine::Effect& effect) {
      const auto* goal = std::get_if<engine::PublishGoal>(&effect);
      const auto* cleared = std::get_if<engine::ClearGoal>(&effect);
      if (goal != nullptr && goal->device.str() == id) said += "goal ";
      if (cleared != nullptr && cleared->device.str() == id) said += "clear ";
    };
    if (reject) {
      ASSERT_TRUE(site.command(engine::RejectDevice{DeviceId(id)}).ok());
    } else {
      ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId(id)}).ok());
    }
    site.disconnect_broker();
    site.connect_broker();
    site.pass(20s);
    EXPECT_EQ(said, "clear ") << id;
    site.enroll(id, 7);
    site.accept(id);
    site.hello(id);
    site.pass(1s);
    EXPECT_EQ(said.substr(0, 11), "clear goal ") << id << ": one of its new keys";
    site.on_said = nullptr;
    site.check_reload();
  }
}

TEST(Enrolment, TheTopicIsTheIdentity) {
  Site site;
  site.enroll("a");
  engine::EnrollReceived other = request(site, "a", 5);
  other.device = DeviceId("z");
  EXPECT_TRUE(site.handle(other).empty());
  EXPECT_EQ(site.drops(Drop::kDeviceIdMismatch), 1U);
  EXPECT_FALSE(site.state().fleet.devices.contains(DeviceId("z")));
}

TEST(Enrolment, AcceptsByItselfWhereTheSiteSaysSo) {
  engine::EngineConfig config = quick_config();
  config.auto_accept = true;
  Site site(config);
  site.enroll("a");
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("a")).state, DeviceState::kAccepted);
}

TEST(Authentication, WhatIsNotTheDevicesWordIsDroppedAndCounted) {
  Site site;
  site.join("a");
  site.enroll("pending");
  const engine::FromDevice good = site.sealed("a", site.hello_of("a"));

  engine::FromDevice forged = good;
  forged.payload.back() ^= 1;
  EXPECT_TRUE(site.handle(forged).empty());
  engine::FromDevice bare = good;
  bare.payload.clear();
  site.handle(bare);
  engine::FromDevice unsealed = good;
  unsealed.payload.resize(unsealed.payload.size() - 18);
  site.handle(unsealed);
  // A mac over another kind of message, or by another device.
  engine::FromDevice other_kind = good;
  other_kind.message = site.status_of("a");
  site.handle(other_kind);
  EXPECT_EQ(site.drops(Drop::kMacInvalid), 4U);

  engine::FromDevice elsewhere = good;
  elsewhere.shard = (good.shard + 1) % 64;
  site.handle(elsewhere);
  EXPECT_EQ(site.drops(Drop::kWrongShard), 1U);
  engine::FromDevice stranger = good;
  stranger.device = DeviceId("stranger");
  site.handle(stranger);
  EXPECT_EQ(site.drops(Drop::kUnknownDevice), 1U);
  site.send("pending", site.hello_of("pending"));
  EXPECT_EQ(site.drops(Drop::kNotAccepted), 1U);
  engine::HelloMessage named = site.hello_of("a");
  named.device = DeviceId("b");
  site.send("a", named);
  EXPECT_EQ(site.drops(Drop::kDeviceIdMismatch), 1U);
}

}  // namespace
}  // namespace covey::test
