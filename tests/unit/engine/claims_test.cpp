// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;
using engine::EnrollState;

const ClaimName kClaim("batch-7");

class Claims : public testing::Test {
 protected:
  Claims() { site.enroll("model", 1); }

  Result<engine::CommandReply> create(engine::CreateClaim command) {
    command.claim = kClaim;
    if (command.count == 0) command.count = 10;
    return site.command(std::move(command));
  }
  std::vector<engine::Effect> ask(const std::string& id, uint64_t nonce = 1, Bytes proof = {}) {
    engine::EnrollMessage message{
        DeviceId(id), nonce, site.device("model").facts, {ModelName("bearing")}};
    message.claim_proof = std::move(proof);
    return site.handle(engine::EnrollReceived{DeviceId(id), std::move(message), kClaim});
  }
  static EnrollState state_of(const std::vector<engine::Effect>& effects) {
    const auto* grant = find<engine::PublishGrant>(effects);
    return grant == nullptr ? EnrollState::kRejected : grant->grant.state;
  }
  Bytes proof(const std::string& id) const {
    const Digest secret = engine::claim_secret(site.state(), site.state().fleet.claims.at(kClaim));
    const Digest mac = hmac_sha256(secret.bytes, as_bytes(id));
    return {mac.bytes.begin(), mac.bytes.end()};
  }
  bool known(const std::string& id) const {
    return site.state().fleet.devices.contains(DeviceId(id));
  }

  Site site;
};

TEST_F(Claims, WithoutAPolicyAnOperatorDecides) {
  ASSERT_TRUE(create({}));
  const auto effects = ask("a");
  EXPECT_EQ(state_of(effects), EnrollState::kPending);
  EXPECT_EQ(find<engine::PublishGrant>(effects)->claim, kClaim) << "where it listens";
  site.accept("a");
  EXPECT_EQ(state_of(ask("a")), EnrollState::kAccepted);
  EXPECT_EQ(site.state().fleet.claims.at(kClaim).used, 1U);
  site.check_reload();
  site.restart();
  EXPECT_EQ(state_of(ask("a")), EnrollState::kAccepted);
}

TEST_F(Claims, AListedIdIsAcceptedAndNoOther) {
  ASSERT_TRUE(create({.accept = true, .ids = {DeviceId("b"), DeviceId("a")}}));
  EXPECT_EQ(state_of(ask("a")), EnrollState::kAccepted);
  EXPECT_EQ(state_of(ask("b")), EnrollState::kAccepted);
  EXPECT_EQ(find<engine::PublishGrant>(ask("c")), nullptr);
  EXPECT_FALSE(known("c"));
  EXPECT_EQ(site.drops(Drop::kClaimRefused), 1U);
}

TEST_F(Claims, AProofIsOfOneIdAlone) {
  ASSERT_TRUE(create({.per_device = true, .accept = true}));
  EXPECT_EQ(state_of(ask("a", 1, proof("a"))), EnrollState::kAccepted);
  for (const Bytes& wrong : {proof("a"), Bytes{}, Bytes(32), Bytes(31, 1)}) {
    EXPECT_EQ(find<engine::PublishGrant>(ask("b", 1, wrong)), nullptr);
  }
  EXPECT_FALSE(known("b"));
  EXPECT_EQ(site.drops(Drop::kClaimRefused), 4U);
  // Under the same name later: other secrets.
  const Bytes before = proof("b");
  ASSERT_TRUE(site.command(engine::RevokeClaim{kClaim}));
  ASSERT_TRUE(create({.per_device = true, .accept = true}));
  EXPECT_EQ(find<engine::PublishGrant>(ask("b", 1, before)), nullptr);
  EXPECT_EQ(state_of(ask("b", 1, proof("b"))), EnrollState::kAccepted);
}

TEST_F(Claims, OneThatHasEndedIsRevokedOrUsedUpBringsNobody) {
  ASSERT_TRUE(create({.count = 2, .life = 1h}));
  ask("a");
  ask("b");
  EXPECT_EQ(state_of(ask("a")), EnrollState::kPending) << "a repetition is none more";
  EXPECT_EQ(find<engine::PublishGrant>(ask("c")), nullptr) << "used up by those who wait";
  site.accept("a");
  EXPECT_EQ(find<engine::PublishGrant>(ask("c")), nullptr);
  ASSERT_TRUE(site.command(engine::RemoveDevice{DeviceId("b")}));
  EXPECT_EQ(state_of(ask("c")), EnrollState::kPending) << "one that waited made room";
  ASSERT_TRUE(site.command(engine::RemoveDevice{DeviceId("a")}));
  EXPECT_EQ(find<engine::PublishGrant>(ask("d")), nullptr) << "an accepted one counts for ever";
  site.step_wall(1h);
  EXPECT_EQ(find<engine::PublishGrant>(ask("c")), nullptr) << "ended";
  site.pass(30s);
  site.check_reload();
}

TEST_F(Claims, ItsCredentialsEndWithIt) {
  const auto made = site.handle(
      engine::CommandReceived{1, {engine::CreateClaim{.claim = kClaim, .count = 1}, "alice", ""}});
  ASSERT_NE(find<engine::SetClaim>(made), nullptr);
  EXPECT_EQ(find<engine::SetClaim>(made)->password.size(), 32U);
  const auto revoked =
      site.handle(engine::CommandReceived{2, {engine::RevokeClaim{kClaim}, "alice", ""}});
  ASSERT_NE(find<engine::SetClaim>(revoked), nullptr);
  EXPECT_EQ(find<engine::SetClaim>(revoked)->password, "");
  EXPECT_EQ(find<engine::PublishGrant>(ask("a")), nullptr);
}

TEST_F(Claims, AFloodOfIdsTakesThePlacesOfItsOwnClaimOnly) {
  ASSERT_TRUE(create({.count = 5}));
  for (int i = 0; i < 2000; ++i) ask(fmt::format("flood-{}", i));
  EXPECT_EQ(site.state().fleet.waiting, 6U) << "five, and the one before them";
  EXPECT_EQ(site.drops(Drop::kClaimRefused), 1995U);
  site.join("honest");
  EXPECT_EQ(site.state().fleet.devices.at(DeviceId("honest")).state, DeviceState::kAccepted);
}

TEST_F(Claims, OneThatWouldAcceptWhoeverHasItIsRefused) {
  EXPECT_EQ(create({.accept = true}).error().reason, "CLAIM_TOO_WIDE");
  ASSERT_TRUE(create({}));
  EXPECT_EQ(create({}).error().reason, "CLAIM_EXISTS");
  EXPECT_EQ(site.command(engine::RevokeClaim{ClaimName("none")}).error().code, Code::kNotFound);
  EXPECT_EQ(site.command(engine::CreateClaim{.claim = ClaimName("x"), .count = 0}).error().reason,
            "BAD_FIELD");
}

TEST_F(Claims, OfAReplacedSecretAreRevoked) {
  ASSERT_TRUE(create({}));
  engine::RotateSecret rotate{.secret = {}, .sealed = Bytes(32, 2), .number = 2};
  rotate.secret.bytes.fill(2);
  ASSERT_TRUE(site.command(rotate));
  EXPECT_NE(site.state().fleet.claims.at(kClaim).revoke_wall, Millis{0});
  EXPECT_FALSE(find<engine::PublishGrant>(ask("a")));
  EXPECT_FALSE(known("a"));
  site.pass(3s, 1s);
  EXPECT_EQ(site.state().fleet.secrets.size(), 1U) << "no device has keys of it";
  site.check_reload();
  ASSERT_TRUE(create({})) << "its name may be used again";
  EXPECT_EQ(state_of(ask("a")), EnrollState::kPending);
}

}  // namespace
}  // namespace covey::test
