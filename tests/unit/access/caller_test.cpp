// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/caller.hpp"

#include <gtest/gtest.h>

namespace covey::access {
namespace {

TEST(Callers, TheSocketsOwnerIsAdminAndAuditedByName) {
  const Caller root = local_user(0);
  EXPECT_EQ(root.name, "root");
  EXPECT_EQ(root.role, Role::kAdmin);
  EXPECT_EQ(root.via, Via::kUnixSocket);
  EXPECT_EQ(root.known, Known::kUnixPeer);
  EXPECT_EQ(audit_name(root), "unix:root");
  EXPECT_EQ(audit_name(local_user(4'000'000'000U)), "unix:4000000000");
}

TEST(Callers, EachIsAuditedByHowItIsKnown) {
  Caller caller{.name = "bot"};
  for (const auto& [known, name] :
       {std::pair{Known::kNobody, "bot"}, std::pair{Known::kUnixPeer, "unix:bot"},
        std::pair{Known::kLoopback, "loopback:bot"},
        std::pair{Known::kCertificate, "certificate:bot"}, std::pair{Known::kToken, "token:bot"},
        std::pair{Known::kJwt, "jwt:bot"}}) {
    caller.known = known;
    EXPECT_EQ(audit_name(caller), name);
  }
}

TEST(Callers, RolesAreOrderedAndHaveWords) {
  EXPECT_LT(Role::kNone, Role::kViewer);
  EXPECT_LT(Role::kViewer, Role::kCi);
  EXPECT_LT(Role::kCi, Role::kOperator);
  EXPECT_LT(Role::kOperator, Role::kAdmin);
  for (const Role role : {Role::kNone, Role::kViewer, Role::kCi, Role::kOperator, Role::kAdmin}) {
    EXPECT_EQ(parse_role(to_string(role)), role);
  }
  for (const char* word : {"", "Admin", "admin ", "root", "5"}) {
    EXPECT_FALSE(parse_role(word).has_value()) << word;
  }
}

TEST(Callers, GlobsMatchTheWholeName) {
  EXPECT_TRUE(matches("press-*", "press-vibration"));
  EXPECT_TRUE(matches("press-*", "press-"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a*b*c", "aXbYbZc"));
  EXPECT_TRUE(matches("p?ess", "press"));
  EXPECT_FALSE(matches("press-*", "xpress-1"));
  EXPECT_FALSE(matches("press", "press-1"));
  EXPECT_FALSE(matches("", "press"));
  EXPECT_FALSE(matches("a*b", "acbc"));
  EXPECT_FALSE(matches("p?ess", "pess"));
  // Stars that would take exponential time where each is tried with each.
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

}  // namespace
}  // namespace covey::access
