// SPDX-License-Identifier: Apache-2.0
// Releases can be deleted when nobody needs them; what was done with them stays readable.
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/engine/queries/queries.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

const ReleaseId kOld{kSiteModel, {1, 0, 0}};
const ReleaseId kNew{kSiteModel, {1, 1, 0}};

class ReleaseDeletion : public ::testing::Test {
 protected:
  ReleaseDeletion() {
    site.connect_broker();
    site.push({1, 0, 0});
  }
  Result<engine::CommandReply> remove(const ReleaseId& release) {
    return site.command(engine::DeleteRelease{release});
  }
  void expect_used_by(const ReleaseId& release, const std::string& whom) {
    const Result<engine::CommandReply> refused = remove(release);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(refused.error().reason, "RELEASE_IN_USE");
    EXPECT_NE(refused.error().message.find(whom), std::string::npos) << refused.error().message;
  }

  Site site;
};

TEST_F(ReleaseDeletion, ImagesGoAndNamesStay) {
  site.push({1, 1, 0});
  site.join("d0");
  site.run("d0", {1, 0, 0});
  site.report("d0", site.window("d0", 100));
  site.run("d0", {1, 1, 0});
  const Digest manifest = site.manifest({1, 0, 0});
  std::vector<Digest> withdrawn;
  site.on_said = [&](const engine::Effect& effect) {
    const auto* blob = std::get_if<engine::PublishBlob>(&effect);
    if (blob != nullptr && blob->bytes.empty()) withdrawn.push_back(blob->digest);
  };
  const Result<engine::CommandReply> deleted = remove(kOld);
  ASSERT_TRUE(deleted.ok()) << deleted.error().message;
  EXPECT_EQ(std::count(withdrawn.begin(), withdrawn.end(), manifest), 1);
  for (const auto& [id, release] : site.state().catalogue.releases) EXPECT_NE(id, kOld);
  EXPECT_TRUE(site.state().catalogue.artifacts.at(manifest).artifact->image.empty());
  EXPECT_EQ(site.audit().front().action, "DELETE_RELEASE");
  EXPECT_EQ(site.audit().front().subject, "bearing@1.0.0");
  const auto counted = engine::count_inferences(site.state(), kSiteModel).devices;
  EXPECT_TRUE(counted.contains({DeviceId("d0"), kOld})) << "history has no words any more";
  EXPECT_EQ(remove(kOld).error().code, Code::kNotFound);
  site.check_reload();
  site.restart();
  EXPECT_FALSE(site.state().catalogue.releases.contains(kOld));
  EXPECT_TRUE(
      engine::count_inferences(site.state(), kSiteModel).devices.contains({DeviceId("d0"), kOld}));
  EXPECT_EQ(site.roll_out(simple_plan("back", "1.0.0")).error().reason, "RELEASE_NOT_FOUND");
}

TEST_F(ReleaseDeletion, ItsVersionStaysTaken) {
  ASSERT_TRUE(remove(kOld).ok());
  const auto other = site.open({1, 0, 0}, {"m4"}, 1);
  EXPECT_EQ(site.command(engine::CreateRelease{kOld, {other}}).error().reason, "RELEASE_EXISTS");
  const Result<engine::CommandReply> again =
      site.command(engine::CreateRelease{kOld, {site.open({1, 0, 0})}});
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_FALSE(again->already_existed);
  EXPECT_FALSE(
      site.state().catalogue.artifacts.at(site.manifest({1, 0, 0})).artifact->image.empty());
  site.check_reload();
}

TEST_F(ReleaseDeletion, WhoeverHasItIsNamed) {
  for (const char* id : {"d0", "d1", "d2", "d3", "d4", "d5", "d6"}) {
    site.join(id);
    site.run(id, {1, 0, 0});
  }
  expect_used_by(kOld, "7 devices have it (d0, d1, d2, d3, d4 and 2 more)");
  EXPECT_NE(site.audit().front().detail.find("RELEASE_IN_USE"), std::string::npos);
}

TEST_F(ReleaseDeletion, WhatARolloutBringsOrCouldBringBackIsNeeded) {
  site.push({1, 1, 0});
  site.join("d0");
  site.run("d0", {1, 0, 0});
  ASSERT_TRUE(site.roll_out(simple_plan("first", "1.1.0")).ok());
  site.pass(1s);
  expect_used_by(kNew, "1 rollout needs it (first)");
  site.obey("d0");
  site.pass(2s);
  ASSERT_TRUE(has_ended(site.rollout("first").progress.state)) << site.rollout_text("first");
  expect_used_by(kOld, "1 rollout needs it (first)");
  expect_used_by(kNew, "1 assignment keeps it (of rollout first, target all)");
}

}  // namespace
}  // namespace covey::test
