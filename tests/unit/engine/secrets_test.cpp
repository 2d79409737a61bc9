// SPDX-License-Identifier: Apache-2.0
// A new secret of the site: who gets keys of it, when, and when the old one is gone.
#include <gtest/gtest.h>

#include "core/limits.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

class Secrets : public testing::Test {
 protected:
  // Accepted and online, with a key of its own or without.
  void join(const std::string& id, Bytes own) {
    site.enroll(id, 1);
    ask(id, std::move(own));
    site.accept(id);
    site.hello(id);
  }
  std::vector<engine::Effect> ask(const std::string& id, Bytes own) {
    engine::EnrollMessage message{DeviceId(id), 1, site.device(id).facts, {ModelName("bearing")}};
    message.key = std::move(own);
    return site.handle(engine::EnrollReceived{DeviceId(id), std::move(message)});
  }
  Result<engine::CommandReply> rotate(uint32_t number) {
    const auto fill = static_cast<uint8_t>(number);
    engine::RotateSecret command{.secret = {}, .sealed = Bytes(32, fill), .number = number};
    command.secret.bytes.fill(fill);
    return site.command(command);
  }
  const Device& row(const std::string& id) const {
    return site.state().fleet.devices.at(DeviceId(id));
  }
  Digest order_key(const std::string& id) const { return engine::order_key(site.state(), row(id)); }
  size_t secrets() const { return site.state().fleet.secrets.size(); }

  Site site{quick_config()};
};

TEST_F(Secrets, ADeviceWithAKeyMovesByItselfAndAnotherStays) {
  join("a", own_point(7));
  join("b", {});
  const Digest a = order_key("a");
  const Digest b = order_key("b");
  const std::string password = engine::broker_password(site.state(), row("a"));
  ASSERT_TRUE(rotate(2));
  site.pass(2s, 1s);
  EXPECT_EQ(row("a").secret_number, 2U);
  EXPECT_NE(order_key("a"), a);
  EXPECT_NE(engine::broker_password(site.state(), row("a")), password);
  EXPECT_FALSE(engine::is_online(site.state(), DeviceId("a")));
  EXPECT_EQ(row("b").secret_number, 1U);
  EXPECT_EQ(order_key("b"), b);
  EXPECT_TRUE(engine::is_online(site.state(), DeviceId("b")));
  // Without a person: the nonce and key that are accepted get the new keys.
  const auto effects = ask("a", own_point(7));
  const auto* grant = find<engine::PublishGrant>(effects);
  ASSERT_NE(grant, nullptr);
  EXPECT_EQ(grant->grant.state, engine::EnrollState::kAccepted);
  EXPECT_EQ(grant->grant.order_key, order_key("a"));
  EXPECT_EQ(secrets(), 2U) << "b has its keys of the old one";
  site.check_reload();
}

TEST_F(Secrets, WhatIsSaidUnderTheOldKeyDoesNotCount) {
  join("a", own_point(7));
  const engine::FromDevice hello = site.sealed("a", site.hello_of("a"));
  const engine::ReportReceived report = site.sealed("a", site.window("a", 10));
  ASSERT_TRUE(rotate(2));
  site.pass(2s, 1s);
  const uint64_t refused = site.drops(engine::Drop::kMacInvalid);
  site.handle(hello);
  site.handle(report);
  EXPECT_EQ(site.drops(engine::Drop::kMacInvalid), refused + 2);
  EXPECT_FALSE(engine::is_online(site.state(), DeviceId("a")));
}

TEST_F(Secrets, GoOnOverARestartAndTheOldOneGoesWithItsLastDevice) {
  join("a", own_point(7));
  join("b", {});
  ASSERT_TRUE(rotate(2));
  site.restart(quick_config());
  site.pass(5s, 1s);
  EXPECT_EQ(row("a").secret_number, 2U);
  EXPECT_EQ(secrets(), 2U);
  ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId("b")}));
  EXPECT_EQ(row("b").secret_number, 2U);
  site.pass(3s, 1s);
  EXPECT_EQ(secrets(), 1U);
  site.check_reload();
}

TEST_F(Secrets, TheGoalThatStandsIsSaidUnderTheNewKey) {
  join("a", own_point(7));
  site.push({1, 1, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(5s, 1s);
  const uint64_t counter = row("a").goal_counter;
  ASSERT_GT(counter, 0U);
  ASSERT_TRUE(rotate(2));
  site.pass(2s, 1s);
  EXPECT_GT(row("a").goal_counter, counter) << "one counter never has two contents";
  EXPECT_EQ(row("a").goal_counter_seen, 0U);
  site.check_reload();
}

TEST_F(Secrets, WhoWaitsHasNoKeysAndHoldsNoSecret) {
  site.enroll("a", 1);
  ASSERT_TRUE(rotate(2));
  site.pass(3s, 1s);
  EXPECT_EQ(row("a").secret_number, 2U);
  EXPECT_EQ(secrets(), 1U);
}

TEST_F(Secrets, TwoWhoRotateAtOnceMakeOne) {
  ASSERT_TRUE(rotate(2));
  EXPECT_EQ(rotate(2).error().reason, "SECRET_ROTATED");
  EXPECT_EQ(rotate(4).error().reason, "SECRET_ROTATED");
}

TEST_F(Secrets, AreBounded) {
  join("b", {});
  for (uint32_t number = 2; number <= kSiteSecretsMax; ++number) {
    ASSERT_TRUE(rotate(number));
    join("b" + std::to_string(number), {});
    site.pass(2s, 1s);
  }
  const auto refused = rotate(kSiteSecretsMax + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "TOO_MANY_SECRETS");
  EXPECT_EQ(secrets(), kSiteSecretsMax);
}

}  // namespace
}  // namespace covey::test
