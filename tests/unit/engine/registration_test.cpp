// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/limits.hpp"
#include "deploy/deployment/device_key.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;
using engine::EnrollState;

class Registration : public testing::Test {
 protected:
  Registration() { site.enroll("model", 1); }

  static Bytes key(uint8_t seed) {
    Bytes point(65, seed);
    point.front() = 4;
    return point;
  }
  static Bytes digest_of(const Bytes& point) {
    const Digest digest = *parse_digest(device_key_fingerprint(point));
    return {digest.bytes.begin(), digest.bytes.end()};
  }
  engine::Registration row(const std::string& id, Bytes digest = {}) {
    return {DeviceId(id),
            site.device("model").facts.device_class,
            {{"hall", "b"}},
            std::move(digest),
            {}};
  }
  Result<engine::CommandReply> import(std::vector<engine::Registration> rows) {
    return site.command(engine::ImportDevices{std::move(rows)});
  }
  EnrollState ask(const std::string& id, uint64_t nonce, Bytes point = {},
                  const std::string& authority = {}) {
    engine::EnrollMessage message{
        DeviceId(id), nonce, site.device("model").facts, {ModelName("bearing")}};
    message.key = std::move(point);
    message.authority = authority;
    const auto effects = site.handle(engine::EnrollReceived{DeviceId(id), message, {}});
    const auto* grant = find<engine::PublishGrant>(effects);
    return grant == nullptr ? EnrollState::kRejected : grant->grant.state;
  }
  const Device& device(const std::string& id) const {
    return site.state().fleet.devices.at(DeviceId(id));
  }

  Site site;
};

TEST_F(Registration, TheDeviceWithTheKeyIsAcceptedAndNoOther) {
  ASSERT_EQ(import({row("a", digest_of(key(1)))})->registered, 1U);
  EXPECT_EQ(site.state().fleet.waiting, 1U) << "it has not asked: only the one before it waits";
  EXPECT_EQ(ask("a", 5, key(2)), EnrollState::kRejected);
  EXPECT_EQ(ask("a", 5), EnrollState::kRejected);
  EXPECT_EQ(device("a").state, DeviceState::kRegistered);
  EXPECT_EQ(site.drops(Drop::kEnrollRefused), 2U);
  EXPECT_EQ(ask("a", 5, key(1)), EnrollState::kAccepted);
  EXPECT_EQ(device("a").labels.at("hall"), "b");
  // All that it had but the key is gone.
  EXPECT_EQ(ask("a", 6, key(1)), EnrollState::kAccepted);
  EXPECT_EQ(ask("a", 6, key(2)), EnrollState::kRejected);
  site.check_reload();
}

TEST_F(Registration, WithoutAKeyAnOperatorDecides) {
  ASSERT_TRUE(import({row("a")}));
  const auto early = site.command(engine::AcceptDevices{{.ids = {DeviceId("a")}}});
  EXPECT_EQ(early.error().reason, "NOT_HERE_YET");
  EXPECT_EQ(ask("a", 5), EnrollState::kPending);
  site.accept("a");
  EXPECT_EQ(device("a").labels.at("hall"), "b");
}

TEST_F(Registration, AStrangerThatCameBeforeTheListGivesWay) {
  EXPECT_EQ(ask("a", 5, key(2)), EnrollState::kPending);
  EXPECT_EQ(import({row("a", digest_of(key(1)))})->changed, 1U);
  EXPECT_EQ(device("a").state, DeviceState::kRegistered);
  EXPECT_EQ(ask("a", 5, key(2)), EnrollState::kRejected);
  EXPECT_EQ(ask("a", 7, key(1)), EnrollState::kAccepted);
}

TEST_F(Registration, AnotherClassIsAnotherDevice) {
  engine::Registration other = row("a", digest_of(key(1)));
  other.device_class = DeviceClass("other");
  ASSERT_TRUE(import({other}));
  EXPECT_EQ(ask("a", 5, key(1)), EnrollState::kRejected);
}

TEST_F(Registration, OfAListWithABadRowNothingIsDone) {
  site.accept("model");
  const auto reply = import({row("a"), row("b"), row("a"), row("model", digest_of(key(3)))});
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("devices[2].device_id: a is also devices[0]"),
            std::string::npos)
      << reply.error().message;
  EXPECT_NE(reply.error().message.find("devices[3].key_fingerprint"), std::string::npos);
  EXPECT_EQ(site.state().fleet.devices.size(), 1U);
  std::vector<engine::Registration> many;
  for (size_t i = 0; i <= kRegisteredAtOnceMax; ++i) many.push_back(row(fmt::format("d{}", i)));
  EXPECT_EQ(import(many).error().reason, "TOO_MANY_DEVICES");
  many.pop_back();
  EXPECT_EQ(import(many)->registered, kRegisteredAtOnceMax);
  site.pass(30s);
  EXPECT_EQ(site.state().fleet.devices.size(), kRegisteredAtOnceMax + 1) << "they are no strangers";
}

TEST_F(Registration, AManufacturerVouchesAsLongAsItIsTrusted) {
  ASSERT_TRUE(site.command(engine::AddDeviceAuthority{"acme", Bytes(10, 1)}));
  EXPECT_EQ(site.command(engine::AddDeviceAuthority{"acme", Bytes(10, 2)}).error().reason,
            "AUTHORITY_EXISTS");
  EXPECT_EQ(ask("a", 5, key(1), "acme"), EnrollState::kAccepted);
  EXPECT_EQ(ask("a", 6, key(1)), EnrollState::kAccepted) << "known by its key";
  ASSERT_TRUE(import({row("r", digest_of(key(9)))}));
  EXPECT_EQ(ask("r", 5, key(1), "acme"), EnrollState::kRejected) << "registered with another key";
  ASSERT_TRUE(site.command(engine::RemoveDeviceAuthority{"acme"}));
  EXPECT_EQ(ask("b", 5, key(2), "acme"), EnrollState::kPending);
  EXPECT_EQ(device("a").authority, "acme");
  site.check_reload();
}

TEST_F(Registration, WhatIsDecommissionedComesBackByAnOperatorAlone) {
  EXPECT_EQ(ask("a", 5, key(1)), EnrollState::kPending);
  site.accept("a");
  ASSERT_TRUE(site.command(engine::DecommissionDevice{DeviceId("a")}));
  EXPECT_EQ(device("a").state, DeviceState::kDecommissioned);
  EXPECT_EQ(ask("a", 5, key(1)), EnrollState::kRejected);
  EXPECT_EQ(site.command(engine::AcceptDevices{{.ids = {DeviceId("a")}}}).error().reason,
            "DECOMMISSIONED");
  EXPECT_EQ(site.command(engine::AcceptDevices{{.all = true}})->changed, 1U) << "the model alone";
  EXPECT_EQ(import({row("a")}).error().reason, "BAD_REGISTRATIONS");
  ASSERT_TRUE(site.command(engine::ReenrollDevice{DeviceId("a")}));
  EXPECT_EQ(ask("a", 8, key(1)), EnrollState::kPending);
  site.check_reload();
}

TEST_F(Registration, ASuccessorTakesThePlace) {
  EXPECT_EQ(ask("old", 5, key(1)), EnrollState::kPending);
  site.accept("old");
  ASSERT_TRUE(
      site.command(engine::LabelDevices{{.ids = {DeviceId("old")}}, {{"line", "press"}}, {}}));
  EXPECT_EQ(ask("new", 6, key(2)), EnrollState::kPending);
  const auto wrong = site.command(
      engine::ReplaceDevice{DeviceId("old"), DeviceId("new"), device_key_fingerprint(key(3))});
  EXPECT_EQ(wrong.error().reason, "KEY_MISMATCH");
  ASSERT_TRUE(site.command(
      engine::ReplaceDevice{DeviceId("old"), DeviceId("new"), device_key_fingerprint(key(2))}));
  EXPECT_EQ(device("new").state, DeviceState::kAccepted);
  EXPECT_EQ(device("new").labels.at("line"), "press");
  EXPECT_EQ(device("old").state, DeviceState::kDecommissioned);
  EXPECT_EQ(device("old").successor, DeviceId("new"));
  // One that has not come yet, by its key.
  ASSERT_TRUE(site.command(
      engine::ReplaceDevice{DeviceId("new"), DeviceId("next"), device_key_fingerprint(key(4))}));
  EXPECT_EQ(ask("next", 7, key(5)), EnrollState::kRejected);
  EXPECT_EQ(ask("next", 7, key(4)), EnrollState::kAccepted);
  EXPECT_EQ(device("next").labels.at("line"), "press");
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
