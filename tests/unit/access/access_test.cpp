// SPDX-License-Identifier: Apache-2.0
// Who is let in, and what is said to who is not.
#include "gateway/access/access.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace covey::access {
namespace {

constexpr Rule kReads{"GetSite", Role::kViewer};
constexpr Rule kChanges{"AddTrustedKey", Role::kAdmin};
constexpr Rule kOpen{"/healthz", Role::kNone};

TEST(Access, TheOwnerAndRootAreAdminsAndNobodyElseOverTheSocket) {
  Access access;
  ASSERT_TRUE(access.unix_peer(0).has_value());
  EXPECT_EQ(access.unix_peer(0)->role, Role::kAdmin);
  EXPECT_TRUE(access.unix_peer(geteuid()).has_value());
  EXPECT_FALSE(access.unix_peer(geteuid() + 1234).has_value());
}

TEST(Access, LoopbackIsWhoTheKernelSays) {
  const Access access(AccessOptions{.loopback_role = Role::kViewer});
  const Caller owner = access.plaintext_peer("127.0.0.1", true, geteuid());
  EXPECT_EQ(owner.role, Role::kAdmin);
  EXPECT_EQ(owner.known, Known::kLoopback);
  const Caller other = access.plaintext_peer("127.0.0.1", true, 4'000'000'000U);
  EXPECT_EQ(other.role, Role::kViewer);
  EXPECT_EQ(audit_name(other), "loopback:4000000000");
  const Caller unknown = access.plaintext_peer("127.0.0.1", true, std::nullopt);
  EXPECT_EQ(unknown.role, Role::kViewer);
  EXPECT_EQ(audit_name(unknown), "127.0.0.1");
}

// An address says nothing: whoever is on the network may have it.
TEST(Access, BeyondLoopbackAnAddressIsNobody) {
  const Access access(AccessOptions{.loopback_role = Role::kAdmin});
  const Caller caller = access.plaintext_peer("10.0.0.5", false, geteuid());
  EXPECT_EQ(caller.role, Role::kNone);
  EXPECT_EQ(caller.known, Known::kNobody);
  EXPECT_FALSE(caller.confidential);
}

TEST(Access, ADeniedCallSaysWhichRoleItNeedsAndHowToGetIt) {
  Access access;
  std::vector<Denial> denials;
  access.on_denied([&](const Denial& denial) { denials.push_back(denial); });
  Caller caller{.name = "bob", .role = Role::kViewer, .known = Known::kLoopback, .from = "::1"};
  EXPECT_TRUE(access.admit(caller, {}, kReads).ok());
  const Result<Caller> denied = access.admit(caller, {}, kChanges);
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);
  EXPECT_EQ(denied.error().reason, "ROLE_MISSING");
  for (const char* words : {"AddTrustedKey", "needs the role admin", "bob (loopback) has viewer",
                            "covey token create"}) {
    EXPECT_NE(denied.error().message.find(words), std::string::npos) << denied.error().message;
  }
  ASSERT_EQ(denials.size(), 1U);
  EXPECT_EQ(denials[0].call, "AddTrustedKey");
  EXPECT_EQ(denials[0].caller.from, "::1");
  EXPECT_FALSE(denials[0].caller.request_id.empty());
  EXPECT_EQ(access.denials(), (std::vector<std::pair<std::string, uint64_t>>{{"ROLE_MISSING", 1}}));
}

TEST(Access, WhoeverIsUnknownHearsTheWaysIn) {
  Access access;
  const Caller stranger = access.plaintext_peer("10.0.0.5", false, std::nullopt);
  EXPECT_TRUE(access.admit(stranger, {}, kOpen).ok());
  const Result<Caller> denied = access.admit(stranger, {}, kReads);
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().code, Code::kUnauthenticated);
  for (const char* words : {"Unix socket", "COVEY_TOKEN_FILE", "tls.client_ca_file"}) {
    EXPECT_NE(denied.error().message.find(words), std::string::npos) << denied.error().message;
  }
}

TEST(Access, EachCallHasAnIdOfItsOwn) {
  Access access(AccessOptions{.id_prefix = "start"});
  const Result<Caller> first = access.admit(local_user(0), {}, kReads);
  const Result<Caller> second = access.admit(local_user(0), {}, kReads);
  EXPECT_EQ(first->request_id, "start-1");
  EXPECT_EQ(second->request_id, "start-2");
}

}  // namespace
}  // namespace covey::access
