// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/certificates.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/adapters/tls/host_names.hpp"

#include "tests/unit/tls/times.hpp"

namespace covey::tls {
namespace {

constexpr Millis kYear10000{253'402'300'799'000};

TEST(Certificates, AnAuthorityNeverEnds) {
  const Result<Credentials> authority = make_authority("plant-7");
  ASSERT_TRUE(authority) << authority.error().message;
  const Result<CertificateFacts> facts = facts_of(authority->certificate);
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->authority);
  EXPECT_EQ(facts->not_after, kYear10000);
  EXPECT_LT(facts->not_before, Millis{1'600'000'000'000});
  EXPECT_EQ(facts->fingerprint.size(), 32 * 3 - 1);
  EXPECT_TRUE(check_pair(*authority));
  const Result<Credentials> other = make_authority("plant-7");
  ASSERT_TRUE(other);
  EXPECT_NE(facts_of(other->certificate)->fingerprint, facts->fingerprint);
}

TEST(Certificates, AServerHasItsNamesAndItsTime) {
  const Credentials authority = *make_authority("site");
  const std::vector<std::string> names{"10.0.0.5", "fd00::5", "gateway.plant"};
  const Result<Credentials> server = issue_server(authority, names, kNow, 90 * kDay);
  ASSERT_TRUE(server) << server.error().message;
  const Result<CertificateFacts> facts = facts_of(server->certificate);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->names, names);
  EXPECT_FALSE(facts->authority);
  EXPECT_EQ(facts->not_before, kNow - kDay);
  EXPECT_EQ(facts->not_after, kNow + 90 * kDay);
  EXPECT_TRUE(check_pair(*server));
  EXPECT_TRUE(issued_by(authority, server->certificate));
  EXPECT_FALSE(issued_by(*make_authority("site"), server->certificate));
}

TEST(Certificates, AClockBefore1970DoesNoHarm) {
  const Credentials authority = *make_authority("site");
  const Result<Credentials> server = issue_server(authority, {"localhost"}, Millis{0}, 90 * kDay);
  ASSERT_TRUE(server);
  EXPECT_EQ(facts_of(server->certificate)->not_before, -kDay);
}

TEST(Certificates, WhatIsWrongIsNamed) {
  const Credentials authority = *make_authority("site");
  EXPECT_EQ(issue_server(authority, {}, kNow, kDay).error().reason, "CERTIFICATE_INVALID");
  EXPECT_EQ(facts_of("").error().reason, "CERTIFICATE_INVALID");
  EXPECT_EQ(facts_of(authority.key).error().reason, "CERTIFICATE_INVALID");
  EXPECT_EQ(facts_of(authority.certificate.substr(0, 300)).error().reason, "CERTIFICATE_INVALID");
  EXPECT_EQ(check_pair({"no key", authority.certificate}).error().reason, "KEY_INVALID");
  EXPECT_EQ(check_pair({make_authority("x")->key, authority.certificate}).error().reason,
            "KEY_MISMATCH");
}

// Whoever needs a password waits at a terminal that nobody sits at.
TEST(Certificates, AKeyWithAPasswordIsRefusedAtOnce) {
  const char* const encrypted =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjm6P5cTLeJ5gICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKc1bwP7KFg3kqTpKTZmqVYEgZBc\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  const Status pair = check_pair({encrypted, make_authority("site")->certificate});
  ASSERT_FALSE(pair);
  EXPECT_EQ(pair.error().reason, "KEY_INVALID");
}

TEST(HostNames, LoopbackIsAmongThem) {
  const std::vector<std::string> names = names_of_this_host();
  for (const char* name : {"localhost", "127.0.0.1", "::1"}) {
    EXPECT_TRUE(std::ranges::count(names, name)) << name;
  }
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_LE(names.size(), kNamesMax);
}

}  // namespace
}  // namespace covey::tls
