// SPDX-License-Identifier: Apache-2.0
// The root document at a site: who may sign, what a revoked author's signature is worth, and how a
// release is signed anew without another identity.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/limits.hpp"
#include "deploy/root/root.hpp"
#include "gateway/engine/queries/waits.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

class Roots : public FleetTest {
 protected:
  Roots() {
    for (int i = 0; i < 3; ++i) {
      keys_.push_back(*PrivateKey::generate(SignatureAlgorithm::kEs256));
      others_.push_back(*PrivateKey::generate(SignatureAlgorithm::kEd25519));
    }
    site.on_said = [this](const engine::Effect& effect) {
      if (const auto* root = std::get_if<engine::PublishRoot>(&effect)) {
        said_.push_back(root->version);
      }
      if (const auto* blob = std::get_if<engine::PublishBlob>(&effect)) {
        retained_[blob->digest] = Bytes(blob->bytes.begin(), blob->bytes.end());
      }
    };
  }
  // Two of three keys; authors as given.
  Root root_of(uint32_t version, const std::vector<const PrivateKey*>& authors,
               uint32_t author_threshold = 1) const {
    Root root{
        .version = version, .root_threshold = 2, .author_threshold = author_threshold, .keys = {}};
    for (const PrivateKey& key : keys_) root.keys.push_back({key.public_key(), true, false});
    for (const PrivateKey* author : authors) {
      root.keys.push_back({author->public_key(), false, true});
    }
    return root;
  }
  Bytes document(const Root& root, size_t signers = 2) const {
    SignedRoot made{*encode(root), {}};
    for (size_t i = 0; i < signers; ++i) {
      made.signatures.push_back(sign(keys_[i], signed_digest(made.root)));
    }
    return *encode(made);
  }
  Result<engine::CommandReply> import(const Root& root, size_t signers = 2) {
    return site.command(engine::ImportRoot{document(root, signers)});
  }
  // The same release, signed by others.
  std::shared_ptr<const Artifact> signed_by(const Version& version,
                                            const std::vector<const PrivateKey*>& authors) const {
    Artifact artifact = *site.open(version);
    artifact.signed_manifest.signatures.clear();
    for (const PrivateKey* author : authors) {
      artifact.signed_manifest.signatures.push_back(sign(*author, artifact.digest));
    }
    artifact.signed_manifest_bytes = *encode(artifact.signed_manifest);
    return std::make_shared<const Artifact>(std::move(artifact));
  }
  Result<engine::CommandReply> push(const Version& version,
                                    const std::vector<const PrivateKey*>& authors) {
    return site.command(
        engine::CreateRelease{{kSiteModel, version}, {signed_by(version, authors)}});
  }

  std::vector<PrivateKey> keys_;    // of the root
  std::vector<PrivateKey> others_;  // authors
  std::vector<uint32_t> said_;
  std::map<Digest, Bytes> retained_;
};

TEST_F(Roots, DecideFromTheFirstOneOn) {
  site.connect_broker();
  ASSERT_TRUE(push({1, 0, 0}, {&site.author()}).ok());
  EXPECT_EQ(push({1, 1, 0}, {&others_[0]}).error().reason, "KEY_UNKNOWN");
  EXPECT_EQ(import(root_of(1, {&others_[0]}), 1).error().reason, "ROOT_NOT_SIGNED");
  EXPECT_EQ(import(root_of(2, {&others_[0]})).error().reason, "ROOT_SKIPS") << "devices need all";
  const Result<engine::CommandReply> first = import(root_of(1, {&others_[0], &others_[1]}, 2));
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->withheld, std::vector<std::string>{"bearing@1.0.0"});
  EXPECT_EQ(said_, std::vector<uint32_t>{1});
  EXPECT_EQ(site.audit().front().action, "IMPORT_ROOT");
  EXPECT_EQ(site.audit().front().subject, "root 1");
  EXPECT_EQ(site.audit().front().before, "");
  EXPECT_EQ(site.audit().front().after, "root 1, 2 of 3 root keys, 2 of 2 authors");
  // The trusted key of before signs nothing any more, and nobody can add another one.
  EXPECT_EQ(push({1, 1, 0}, {&site.author()}).error().reason, "KEY_UNKNOWN");
  EXPECT_EQ(push({1, 1, 0}, {&others_[0]}).error().reason, "SIGNATURES_TOO_FEW");
  EXPECT_EQ(push({1, 1, 0}, {&others_[0], &others_[0]}).error().reason, "SIGNATURES_TOO_FEW");
  EXPECT_TRUE(push({1, 1, 0}, {&others_[0], &others_[1]}).ok());
  EXPECT_EQ(
      site.command(engine::AddTrustedKey{others_[2].public_key().to_pem(), ""}).error().reason,
      "ROOT_DECIDES");
  site.check_reload();
  site.restart();
  EXPECT_EQ(push({1, 2, 0}, {&site.author()}).error().reason, "KEY_UNKNOWN");
  EXPECT_EQ(said_.back(), 1U) << "a broker that forgot it is told again";
}

TEST_F(Roots, OnlyTheNextVersionIsTaken) {
  ASSERT_TRUE(import(root_of(1, {&others_[0]})).ok());
  const Result<engine::CommandReply> again = import(root_of(1, {&others_[0]}), 3);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->already_existed);
  EXPECT_EQ(import(root_of(1, {&others_[1]})).error().reason, "ROOT_VERSION_TAKEN");
  EXPECT_EQ(import(root_of(3, {&others_[0]})).error().reason, "ROOT_SKIPS");
  ASSERT_TRUE(import(root_of(2, {&others_[0]})).ok());
  EXPECT_TRUE(import(root_of(1, {&others_[0]}))->already_existed) << "and nothing goes back";
  EXPECT_EQ(site.state().catalogue.root->version, 2U);
  Bytes cut = document(root_of(3, {&others_[0]}));
  cut.resize(cut.size() / 2);
  EXPECT_EQ(site.command(engine::ImportRoot{cut}).error().reason, "ROOT_MALFORMED");
  EXPECT_EQ(site.command(engine::ImportRoot{{}}).error().reason, "ROOT_MALFORMED");
}

TEST_F(Roots, WhatARevokedAuthorSignedIsOfferedNoMore) {
  site.connect_broker();
  ASSERT_TRUE(import(root_of(1, {&site.author(), &others_[0]})).ok());
  make(4);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].max_in_flight = 1;
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  site.obey_all();
  site.pass(1s);
  const Digest manifest = site.manifest({1, 1, 0});

  const Result<engine::CommandReply> revoked = import(root_of(2, {&others_[0]}));
  ASSERT_TRUE(revoked.ok());
  EXPECT_EQ(revoked->withheld, (std::vector<std::string>{"bearing@1.0.0", "bearing@1.1.0"}));
  EXPECT_EQ(revoked->paused, std::vector<std::string>{"r"});
  const RolloutProgress& progress = site.rollout("r").progress;
  EXPECT_EQ(progress.state, RolloutState::kPaused);
  EXPECT_EQ(progress.reason, "RELEASE_WITHHELD");
  const std::vector<engine::Wait> waits = engine::waits_of(site.state(), site.rollout("r"));
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_NE(waits[0].explanation.find("bearing@1.1.0 is offered to nobody"), std::string::npos)
      << waits[0].explanation;
  EXPECT_EQ(site.command(engine::ResumeRollout{RolloutName("r")}).error().reason,
            "RELEASE_WITHHELD");
  EXPECT_EQ(site.roll_out(simple_plan("other", "1.1.0")).error().reason, "RELEASE_WITHHELD");
  const uint64_t offers = site.state().counters.offers;
  site.pass(30s);
  EXPECT_EQ(site.state().counters.offers, offers);
  site.restart();
  EXPECT_EQ(site.command(engine::ResumeRollout{RolloutName("r")}).error().reason,
            "RELEASE_WITHHELD");

  // Another author signs the same manifest: its identity stays, devices are told the new envelope.
  const Result<engine::CommandReply> anew = push({1, 1, 0}, {&others_[0]});
  ASSERT_TRUE(anew.ok()) << anew.error().message;
  EXPECT_EQ(anew->changed, 1U);
  EXPECT_EQ(site.manifest({1, 1, 0}), manifest);
  const Result<SignedManifest> told = decode_signed_manifest(retained_.at(manifest));
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(told->signatures.front().key_id, others_[0].public_key().id());
  EXPECT_TRUE(push({1, 1, 0}, {&others_[0]})->already_existed) << "nothing new";
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  for (int i = 0; i < 20 && !has_ended(site.rollout("r").progress.state); ++i) {
    site.pass(1s);
    site.obey_all();
  }
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kSucceeded) << site.rollout_text("r");
  site.check_reload();
}

TEST_F(Roots, ARemovedTrustedKeyIsThatToo) {
  site.connect_broker();
  make(2);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  const std::string id = to_hex(site.author().public_key().id());
  const Result<engine::CommandReply> removed = site.command(engine::RemoveTrustedKeyCommand{id});
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->paused, std::vector<std::string>{"r"});
  EXPECT_EQ(site.rollout("r").progress.reason, "RELEASE_WITHHELD");
  const std::string pem = site.author().public_key().to_pem();
  ASSERT_TRUE(site.command(engine::AddTrustedKey{pem, "back"}).ok());
  EXPECT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
}

// An old release that runs beats none: going back is no offer.
TEST_F(Roots, ARollbackGoesToWhatTheDeviceHadConfirmed) {
  site.connect_broker();
  ASSERT_TRUE(import(root_of(1, {&site.author(), &others_[0]})).ok());
  ASSERT_TRUE(push({1, 0, 0}, {&site.author()}).ok());
  ASSERT_TRUE(push({1, 1, 0}, {&others_[0]}).ok());
  site.join_many("d", 2);
  for (const char* id : {"d0", "d1"}) site.run(id, {1, 0, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(1s);
  site.obey_all();
  site.pass(1s);
  ASSERT_TRUE(import(root_of(2, {&others_[0]})).ok());
  ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("r"), "worse"}).ok());
  for (int i = 0; i < 20 && !has_ended(site.rollout("r").progress.state); ++i) {
    site.pass(1s);
    site.obey_all();
  }
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRolledBack) << site.rollout_text("r");
  EXPECT_EQ(site.device("d0").model.confirmed, site.manifest({1, 0, 0}));
}

}  // namespace
}  // namespace covey::test
