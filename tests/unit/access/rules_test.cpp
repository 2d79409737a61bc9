// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/rules.hpp"

#include <gtest/gtest.h>

#include "gateway/access/access.hpp"

namespace covey::access {
namespace {

// A key of RFC 7517's appendix: only its form matters here.
constexpr const char* kJwks = R"({"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig",)"
                              R"("x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",)"
                              R"("y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]})";

Result<Rules> parse(const std::string& yaml) {
  return parse_rules(yaml, [](const std::string& name) -> Result<std::string> {
    if (name == "jwks.json") return std::string(kJwks);
    return not_found(name + " is not there");
  });
}

TEST(Rules, SayWhoMayDoWhat) {
  const Result<Rules> rules = parse(R"(
certificates:
  - {name: alice, role: admin}
  - {name: spiffe://plant/ci, role: ci, models: [press-*, pump]}
oidc:
  - name: forge
    issuer: https://forge.example
    audience: covey
    jwks_file: jwks.json
    rules:
      - claims: {repository: plant/*, ref: refs/heads/main}
        role: ci
      - claims: {groups: operators}
        role: operator
)");
  ASSERT_TRUE(rules.ok()) << rules.error().message;
  EXPECT_EQ(rules->certificates.at("alice").role, Role::kAdmin);
  EXPECT_EQ(rules->certificates.at("spiffe://plant/ci"), (Grant{Role::kCi, {"press-*", "pump"}}));
  const Issuer& forge = rules->issuers.at(0);
  JwtClaims claims;
  claims.values = {{"repository", {"plant/models"}}, {"ref", {"refs/heads/main"}}};
  EXPECT_EQ(grant_of(forge, claims)->role, Role::kCi);
  claims.values["ref"] = {"refs/heads/evil"};
  EXPECT_FALSE(grant_of(forge, claims).has_value()) << "all claims of a rule must match";
  claims.values = {{"groups", {"people", "operators"}}};
  EXPECT_EQ(grant_of(forge, claims)->role, Role::kOperator);
  claims.values = {{"repository", {"plant/models"}}};
  EXPECT_FALSE(grant_of(forge, claims).has_value());
}

TEST(Rules, EveryFaultIsNamedWithItsLine) {
  const Result<Rules> rules = parse(R"(
certificates:
  - {name: alice, role: king}
  - {name: alice, role: admin, models: [a]}
  - {role: admin}
oidc:
  - {name: a, issuer: b, audience: c, jwks_file: gone.json, rules: [{claims: {}, role: ci}]}
people: []
)");
  ASSERT_FALSE(rules.ok());
  EXPECT_EQ(rules.error().reason, "ACCESS_FILE");
  for (const char* words : {"line 3: 'role' must be", "line 4: 'models' is for the role ci",
                            "line 5: 'name' is missing", "'claims' must name",
                            "gone.json is not there", "unknown key 'people'"}) {
    EXPECT_NE(rules.error().message.find(words), std::string::npos)
        << words << " in " << rules.error().message;
  }
}

TEST(Rules, NothingIsNobody) { EXPECT_TRUE(parse("")->certificates.empty()); }

Caller over_tls(const Access& access) { return access.tls_peer("10.0.0.5", ""); }

class Shown : public ::testing::Test {
 protected:
  Millis now_{1'000'000};
  Access access_{AccessOptions{.wall = [this] { return now_; }}};
  const Rule reads_{"GetSite", Role::kViewer};
  const Rule pushes_{"CreateRelease", Role::kCi};

  std::string reason(const Caller& connection, const std::vector<std::string_view>& shown) {
    const Result<Caller> admitted = access_.admit(connection, shown, reads_);
    return admitted ? "" : admitted.error().reason;
  }
};

TEST_F(Shown, ATokenLetsInUntilItEndsOrIsRevoked) {
  access_.put_token({"bot", token_hash("secret"), {Role::kCi, {"press-*"}}, Millis{2'000'000}});
  const Result<Caller> bot = access_.admit(over_tls(access_), {"Bearer secret"}, pushes_);
  ASSERT_TRUE(bot.ok()) << bot.error().message;
  EXPECT_EQ(audit_name(*bot), "token:bot");
  EXPECT_EQ(bot->from, "10.0.0.5");
  EXPECT_TRUE(access_.admit_model(*bot, "press-1", pushes_).ok());
  EXPECT_EQ(access_.admit_model(*bot, "pump", pushes_).error().reason, "MODEL_NOT_YOURS");
  EXPECT_EQ(access_.token_uses().at("bot"), now_);

  std::vector<std::string> ended;
  const auto note = [&](const Error& why) { ended.push_back(why.reason); };
  EXPECT_NE(access_.while_admitted(*bot, note), 0U);
  now_ = Millis{2'000'001};
  access_.look();
  EXPECT_EQ(ended, std::vector<std::string>{"CREDENTIAL_EXPIRED"});
  EXPECT_EQ(reason(over_tls(access_), {"Bearer secret"}), "TOKEN_EXPIRED");
  now_ = Millis{1'000'000};
  EXPECT_NE(access_.while_admitted(*bot, note), 0U);
  access_.revoke_token("bot");
  EXPECT_EQ(ended.back(), "TOKEN_REVOKED");
  EXPECT_EQ(reason(over_tls(access_), {"Bearer secret"}), "BAD_TOKEN");
  // Between the check of a call and the moment from which it can be ended.
  (void)access_.while_admitted(*bot, note);
  EXPECT_EQ(ended.size(), 3U);
  // Of the same name, and another.
  access_.put_token({"bot", token_hash("other"), {Role::kCi, {}}, Millis{0}});
  (void)access_.while_admitted(*bot, note);
  EXPECT_EQ(ended.size(), 4U);
}

TEST_F(Shown, WhatIsNoTokenIsRefusedEvenWhereNoneIsNeeded) {
  access_.put_token({"bot", token_hash("secret"), {Role::kAdmin, {}}, Millis{0}});
  const Caller admin = local_user(0);
  for (const auto& shown :
       std::vector<std::vector<std::string_view>>{{"Bearer"},
                                                  {"Bearer "},
                                                  {"secret"},
                                                  {"Basic secret"},
                                                  {"Bearer  secret"},
                                                  {""},
                                                  {"Bearer secret "},
                                                  {"Bearer secret", "Bearer secret"},
                                                  {"Bearer secreT"}}) {
    EXPECT_EQ(reason(admin, shown), "BAD_TOKEN") << shown.front();
  }
  EXPECT_EQ(reason(admin, {"bEaReR secret"}), "");
}

TEST_F(Shown, ATokenInClearIsNotTaken) {
  access_.put_token({"bot", token_hash("secret"), {Role::kAdmin, {}}, Millis{0}});
  EXPECT_EQ(reason(access_.plaintext_peer("10.0.0.5", false, {}), {"Bearer secret"}),
            "TOKEN_IN_CLEAR");
  EXPECT_EQ(reason(access_.plaintext_peer("127.0.0.1", true, {}), {"Bearer secret"}), "");
}

TEST_F(Shown, ACertificateIsLookedUpAtEachCall) {
  const Caller alice = access_.certificate_peer("10.0.0.5", "alice", Millis{5'000'000});
  EXPECT_EQ(reason(alice, {}), "ROLE_MISSING");
  access_.set_rules(*parse("certificates: [{name: alice, role: viewer}]"));
  EXPECT_EQ(reason(alice, {}), "");
  std::vector<std::string> ended;
  EXPECT_NE(access_.while_admitted(alice, [&](const Error& why) { ended.push_back(why.reason); }),
            0U);
  access_.set_rules(*parse(""));
  EXPECT_EQ(ended, std::vector<std::string>{"ACCESS_CHANGED"});
  EXPECT_EQ(reason(alice, {}), "ROLE_MISSING");
  now_ = Millis{5'000'001};
  EXPECT_EQ(reason(alice, {}), "CERTIFICATE_EXPIRED");
}

TEST_F(Shown, WhoCallsTooOftenWaitsAndOthersDoNot) {
  access_.put_token({"loop", token_hash("loop"), {Role::kViewer, {}}, Millis{0}});
  access_.put_token({"other", token_hash("other"), {Role::kViewer, {}}, Millis{0}});
  const Caller connection = over_tls(access_);
  std::string last;
  for (int i = 0; i < 100'000 && last.empty(); ++i) last = reason(connection, {"Bearer loop"});
  EXPECT_EQ(last, "TOO_MANY_CALLS");
  EXPECT_EQ(reason(connection, {"Bearer other"}), "");
  for (int i = 0; i < 5'000; ++i) EXPECT_EQ(reason(local_user(0), {}), "");
}

TEST(Paces, ABucketRefillsAndNamesAreForgotten) {
  Pace pace(10, 5);
  Pace::Time now{};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(pace.take("a", now));
  EXPECT_FALSE(pace.has_room("a", now));
  EXPECT_FALSE(pace.take("a", now));
  EXPECT_TRUE(pace.take("b", now));
  now += std::chrono::milliseconds(100);
  EXPECT_TRUE(pace.take("a", now));
  EXPECT_FALSE(pace.take("a", now));
  for (size_t i = 0; i < 3 * Pace::kNamesMax; ++i) EXPECT_TRUE(pace.take(std::to_string(i), now));
}

TEST_F(Shown, AHostileCertificateIsNobodyAndHearsWhy) {
  const Caller hostile = access_.tls_peer("10.0.0.5", "the certificate's name is not taken");
  const Result<Caller> denied = access_.admit(hostile, {}, reads_);
  EXPECT_EQ(denied.error().reason, "CERTIFICATE_NAME");
  EXPECT_NE(denied.error().message.find("is not taken"), std::string::npos);
}

}  // namespace
}  // namespace covey::access
