// SPDX-License-Identifier: Apache-2.0
// Devices with a key of their own: whose it is, what they get for it, and what is taken back.
#include <gtest/gtest.h>

#include "gateway/engine/fleet/fleet.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;
using engine::EnrollState;

constexpr Millis kLife = 24h * 90;

engine::EngineConfig issuing() {
  engine::EngineConfig config = quick_config();
  config.certificate_life = kLife;
  return config;
}

class OwnKey : public testing::Test {
 protected:
  std::vector<engine::Effect> ask(const std::string& id, uint64_t nonce, Bytes own,
                                  bool certificate = true) {
    engine::EnrollMessage message{
        DeviceId(id), nonce, site.device(id).facts, {ModelName("bearing")}};
    message.key = std::move(own);
    message.wants_certificate = certificate;
    return site.handle(engine::EnrollReceived{DeviceId(id), std::move(message)});
  }
  // Accepted and enrolled with this key.
  void join(const std::string& id, Bytes own) {
    site.enroll(id, 1);
    ask(id, 1, own);
    site.accept(id);
    site.hello(id);
  }
  const Device& row(const std::string& id) const {
    return site.state().fleet.devices.at(DeviceId(id));
  }
  engine::HelloMessage hello(const std::string& id, uint64_t certificate) const {
    engine::HelloMessage message = site.hello_of(id);
    message.certificate = certificate;
    return message;
  }
  uint64_t number(const std::string& id) const {
    return engine::certificate_number(row(id).certificate_serial);
  }

  Site site{issuing()};
};

TEST_F(OwnKey, TheGrantIsForTheKeyAndBringsACertificate) {
  site.enroll("a");
  EXPECT_TRUE(find<engine::PublishGrant>(ask("a", 1, own_point(7)))->grant.key.empty())
      << "a stranger";
  site.accept("a");
  const auto effects = ask("a", 1, own_point(7));
  const engine::GrantMessage& grant = find<engine::PublishGrant>(effects)->grant;
  EXPECT_EQ(grant.state, EnrollState::kAccepted);
  EXPECT_EQ(grant.key, own_point(7));
  ASSERT_TRUE(grant.certificate);
  EXPECT_EQ(grant.certificate->key, own_point(7));
  EXPECT_EQ(grant.certificate->until, site.now().wall + kLife);
  EXPECT_EQ(grant.certificate->serial.size(), 16U);
  // Asked again, also after a restart: the same one.
  site.restart(issuing());
  const auto again = ask("a", 1, own_point(7));
  EXPECT_EQ(find<engine::PublishGrant>(again)->grant.certificate, grant.certificate);
  site.check_reload();
}

TEST_F(OwnKey, NobodyElseGetsAnythingUnderTheSameNonce) {
  site.enroll("a");
  ask("a", 1, own_point(7));
  site.accept("a");
  // Somebody who has seen the request on the way: with a key of his own, or with none.
  EXPECT_EQ(find<engine::PublishGrant>(ask("a", 1, own_point(8))), nullptr);
  EXPECT_EQ(find<engine::PublishGrant>(ask("a", 1, {}, false)), nullptr);
  EXPECT_EQ(site.drops(Drop::kEnrollRefused), 2U);
  EXPECT_EQ(row("a").key, own_point(7));
}

TEST_F(OwnKey, AnotherKeyUnderAWaitingIdIsSeenAndTheExpectedOneAloneIsAccepted) {
  site.enroll("a");
  ask("a", 1, own_point(7));
  site.pass(2s);
  ask("a", 1, own_point(8));
  EXPECT_GE(row("a").enroll_changes, 1U);
  const auto accept = [&](const Bytes& own) {
    return site.command(engine::AcceptDevices{{.ids = {DeviceId("a")}, .filter = ""},
                                              engine::key_fingerprint(own)});
  };
  EXPECT_EQ(accept(own_point(7)).error().reason, "KEY_MISMATCH");
  EXPECT_EQ(row("a").state, DeviceState::kPending);
  EXPECT_TRUE(accept(own_point(8)));
  EXPECT_EQ(row("a").state, DeviceState::kAccepted);
}

TEST_F(OwnKey, AFingerprintIsThatOfTheUsualForm) {
  EXPECT_EQ(engine::key_fingerprint({}), "");
  EXPECT_EQ(engine::key_fingerprint(own_point(7)).size(), 64U);
  EXPECT_NE(engine::key_fingerprint(own_point(7)), engine::key_fingerprint(own_point(8)));
}

TEST_F(OwnKey, ASiteThatIssuesNoneSealsAllTheSame) {
  site.restart(quick_config());
  site.enroll("a");
  ask("a", 1, own_point(7));
  site.accept("a");
  const auto effects = ask("a", 1, own_point(7));
  const engine::GrantMessage& grant = find<engine::PublishGrant>(effects)->grant;
  EXPECT_EQ(grant.key, own_point(7));
  EXPECT_FALSE(grant.certificate);
}

TEST_F(OwnKey, WhoHoldsAnOlderCertificateIsToldTheNewestAtHello) {
  join("a", own_point(7));
  EXPECT_EQ(find<engine::PublishCertificate>(site.send("a", hello("a", number("a")))), nullptr);
  const auto effects = site.send("a", hello("a", 1));
  const auto* told = find<engine::PublishCertificate>(effects);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->certificate.serial, row("a").certificate_serial);
  // A device that has no key hears nothing of it.
  site.join("b");
  EXPECT_EQ(find<engine::PublishCertificate>(site.send("b", hello("b", 0))), nullptr);
}

TEST_F(OwnKey, ACertificateIsRenewedLongBeforeItsEnd) {
  join("a", own_point(7));
  const Bytes first = row("a").certificate_serial;
  site.step_wall(kLife * 2 / 3 - 1h);
  site.pass(30s);
  EXPECT_EQ(row("a").certificate_serial, first) << "not yet";
  site.step_wall(2h);
  site.pass(30s);
  site.hello("a");
  EXPECT_NE(row("a").certificate_serial, first);
  EXPECT_EQ(row("a").certificate_before, first);
  EXPECT_GT(row("a").certificate_until, site.now().wall + kLife - 1h);
  site.check_reload();
}

TEST_F(OwnKey, WhatIsRejectedReenrolledOrRemovedIsRevoked) {
  const auto revoked_by = [&](const std::string& id, engine::Command command) {
    join(id, own_point(7));
    const Bytes serial = row(id).certificate_serial;
    const auto effects = site.handle(engine::CommandReceived{1, {std::move(command), "alice", ""}});
    const auto* revoked = find<engine::RevokeCertificates>(effects);
    EXPECT_NE(revoked, nullptr) << id;
    if (revoked == nullptr) return;
    EXPECT_EQ(revoked->serials, std::vector<Bytes>{serial}) << id;
    EXPECT_TRUE(site.state().fleet.revoked.contains(serial)) << id;
    // And it is thrown out.
    EXPECT_EQ(find<engine::SetCredential>(effects)->password, "") << id;
  };
  revoked_by("a", engine::RejectDevice{DeviceId("a")});
  revoked_by("b", engine::ReenrollDevice{DeviceId("b")});
  revoked_by("c", engine::RemoveDevice{DeviceId("c")});
  EXPECT_EQ(site.state().fleet.revoked.size(), 3U);
  EXPECT_TRUE(row("b").key.empty()) << "it may come with another key";
  site.check_reload();
  // Until long after they have ended anyway.
  site.power_off(kLife + 24h * 80);
  site.pass(30s);
  EXPECT_EQ(site.state().fleet.revoked.size(), 3U);
  site.power_off(24h * 20);
  site.pass(30s);
  EXPECT_EQ(site.state().fleet.revoked.size(), 0U);
  site.check_reload();
}

TEST_F(OwnKey, BothOfARenewedPairAreRevoked) {
  join("a", own_point(7));
  site.step_wall(kLife * 3 / 4);
  site.pass(30s);
  site.hello("a");
  const auto effects =
      site.handle(engine::CommandReceived{1, {engine::RemoveDevice{DeviceId("a")}, "alice", ""}});
  const auto* revoked = find<engine::RevokeCertificates>(effects);
  ASSERT_NE(revoked, nullptr);
  EXPECT_EQ(revoked->serials.size(), 2U);
}

TEST_F(OwnKey, AfterItsKeysAreVoidANewKeyWaitsForAnOperator) {
  join("a", own_point(7));
  site.handle(engine::CommandReceived{1, {engine::ReenrollDevice{DeviceId("a")}, "alice", ""}});
  const auto effects = ask("a", 2, own_point(9));
  EXPECT_EQ(find<engine::PublishGrant>(effects)->grant.state, EnrollState::kPending);
  EXPECT_EQ(row("a").key, own_point(9));
  EXPECT_TRUE(row("a").certificate_serial.empty());
}

TEST_F(OwnKey, WhatWasRevokedIsForgottenAfterItsEndHoweverMuchIsNewer) {
  // More than one look sees, all but four of them revoked much later.
  constexpr size_t kMany = 4'000;
  constexpr size_t kFew = 4;
  for (size_t i = 0; i < kFew; ++i) {
    const std::string id = "early-" + std::to_string(i);
    join(id, own_point(7));
    ASSERT_TRUE(site.command(engine::RemoveDevice{DeviceId(id)}).ok());
  }
  site.step_wall(kLife);
  for (size_t i = 0; i < kMany; ++i) {
    const std::string id = "late-" + std::to_string(i);
    join(id, own_point(7));
    ASSERT_TRUE(site.command(engine::RemoveDevice{DeviceId(id)}).ok());
  }
  ASSERT_EQ(site.state().fleet.revoked.size(), kMany + kFew);
  site.step_wall(24h * 90 + 1h);
  site.pass(25h, 4s);  // a clock that stepped is believed after a day
  EXPECT_EQ(site.state().fleet.revoked.size(), kMany);
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
