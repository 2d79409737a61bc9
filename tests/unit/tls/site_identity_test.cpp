// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/site_identity.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/adapters/tls/own_files.hpp"
#include "tests/unit/tls/times.hpp"

namespace covey::tls {
namespace {

class Identity : public ::testing::Test {
 protected:
  Identity() { std::filesystem::create_directories(folder_); }
  ~Identity() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(path(name)).rdbuf();
    return out.str();
  }
  void write(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    std::ofstream(path(name)) << content;
    chmod(path(name).c_str(), mode);
  }
  mode_t mode(const std::string& name) const {
    struct stat status {};
    stat(path(name).c_str(), &status);
    return status.st_mode & 07777;
  }
  Result<SiteIdentity> open(Millis now = kNow, std::vector<std::string> names = {"gateway.plant"}) {
    return SiteIdentity::open({.data_dir = folder_, .names = std::move(names)}, now);
  }
  // The operator's own: written as own.pem and own.key.
  Credentials own(Millis now = kNow, Millis lifetime = 90 * kDay) {
    Credentials made = *issue_server(authority_, {"gateway.plant"}, now, lifetime);
    write("own.pem", made.certificate, 0644);
    write("own.key", made.key);
    return made;
  }
  Result<SiteIdentity> open_own(Millis now = kNow) {
    return SiteIdentity::open(
        {.data_dir = folder_, .certificate_file = path("own.pem"), .key_file = path("own.key")},
        now);
  }

  const std::string folder_ = ::testing::TempDir() + "covey_tls_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const Credentials authority_ = *make_authority("operator");
};

TEST_F(Identity, TheFirstStartMakesWhatItNeeds) {
  const Result<SiteIdentity> identity = open();
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(mode("tls"), 0700U);
  EXPECT_EQ(mode("tls/ca.key"), 0600U);
  EXPECT_EQ(mode("tls/server.pem"), 0600U);
  EXPECT_EQ(identity->ca(), text("tls/ca.pem"));
  EXPECT_EQ(identity->ca_fingerprint(), facts_of(text("tls/ca.pem"))->fingerprint);
  EXPECT_EQ(identity->server().names, std::vector<std::string>{"gateway.plant"});
  const std::string shown = text("tls/server.pem");
  EXPECT_TRUE(check_pair({shown, shown}));
  EXPECT_TRUE(issued_by({"", identity->ca()}, shown));
}

TEST_F(Identity, AnotherStartShowsTheSame) {
  ASSERT_TRUE(open());
  const std::string ca = text("tls/ca.pem");
  const std::string server = text("tls/server.pem");
  ASSERT_TRUE(open(kNow + kDay));
  EXPECT_EQ(text("tls/ca.pem"), ca);
  EXPECT_EQ(text("tls/server.pem"), server);
}

TEST_F(Identity, OtherNamesAreAnotherCertificateOfTheSameAuthority) {
  ASSERT_TRUE(open());
  const std::string ca = text("tls/ca.pem");
  const Result<SiteIdentity> renamed = open(kNow, {"10.0.0.5", "gateway.plant"});
  ASSERT_TRUE(renamed);
  EXPECT_EQ(text("tls/ca.pem"), ca);
  EXPECT_EQ(renamed->server().names, (std::vector<std::string>{"10.0.0.5", "gateway.plant"}));
}

TEST_F(Identity, ItIsRenewedBeforeItEnds) {
  Result<SiteIdentity> identity = open();
  ASSERT_TRUE(identity);
  const Millis end = identity->server().not_after;
  EXPECT_FALSE(*identity->refresh(kNow));
  EXPECT_FALSE(*identity->refresh(end - 31 * kDay));
  EXPECT_TRUE(*identity->refresh(end - 29 * kDay));
  EXPECT_GT(identity->server().not_after, end);
  EXPECT_FALSE(*identity->refresh(end - 29 * kDay));
}

TEST_F(Identity, AClockThatJumpsIsFollowed) {
  Result<SiteIdentity> identity = open(Millis{3'600'000});  // no battery: 1970
  ASSERT_TRUE(identity);
  EXPECT_TRUE(*identity->refresh(kNow));
  EXPECT_EQ(identity->server().not_before, kNow - kDay);
  EXPECT_TRUE(*identity->refresh(kNow - 400 * kDay));
  EXPECT_FALSE(*identity->refresh(kNow - 400 * kDay));
}

TEST_F(Identity, ADamagedServerCertificateIsMadeAnew) {
  for (const std::string& damage : {std::string(), std::string("nonsense")}) {
    ASSERT_TRUE(open());
    write("tls/server.pem", damage);
    const Result<SiteIdentity> again = open();
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE(issued_by({"", again->ca()}, text("tls/server.pem")));
  }
}

// A new one would shut out every device that knows the old one.
TEST_F(Identity, ADamagedAuthorityIsNotReplaced) {
  ASSERT_TRUE(open());
  const std::string ca = text("tls/ca.pem");
  write("tls/ca.key", make_authority("x")->key);
  const Result<SiteIdentity> foreign = open();
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().reason, "KEY_MISMATCH");
  EXPECT_NE(foreign.error().message.find("backup"), std::string::npos);
  std::filesystem::remove(path("tls/ca.key"));
  const Result<SiteIdentity> gone = open();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().reason, "TLS_FILES");
  EXPECT_NE(gone.error().message.find("backup"), std::string::npos);
  EXPECT_EQ(text("tls/ca.pem"), ca);
}

// The start was cut between the two files: nothing was issued yet.
TEST_F(Identity, AKeyWithoutItsCertificateIsReplaced) {
  ASSERT_TRUE(open());
  std::filesystem::remove(path("tls/ca.pem"));
  std::filesystem::remove(path("tls/server.pem"));
  EXPECT_TRUE(open());
}

TEST_F(Identity, AKeyThatEverybodyCanReadIsNoKey) {
  ASSERT_TRUE(open());
  chmod(path("tls/ca.key").c_str(), 0644);
  const Result<SiteIdentity> identity = open();
  ASSERT_FALSE(identity);
  EXPECT_NE(identity.error().message.find("chmod 600"), std::string::npos);
}

TEST_F(Identity, TheOperatorsOwnIsTakenOverAndFollowed) {
  const Credentials first = own();
  Result<SiteIdentity> identity = open_own();
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(text("tls/server.pem"), first.key + "\n" + first.certificate);
  EXPECT_EQ(identity->ca(), "");
  EXPECT_TRUE(std::filesystem::exists(path("tls/ca.key"))) << "for devices, not for the server";
  EXPECT_FALSE(*identity->refresh(kNow));
  const Credentials second = own(kNow + kDay);
  EXPECT_TRUE(*identity->refresh(kNow + kDay));
  EXPECT_EQ(text("tls/server.pem"), second.key + "\n" + second.certificate);
}

TEST_F(Identity, ABrokenFileLeavesTheOldOneAndSaysAllFaults) {
  const Credentials first = own();
  Result<SiteIdentity> identity = open_own();
  ASSERT_TRUE(identity);
  const std::string shown = text("tls/server.pem");
  const auto refused = [&](Millis now = kNow) -> std::string {
    const Result<bool> fresh = identity->refresh(now);
    EXPECT_FALSE(fresh);
    EXPECT_EQ(text("tls/server.pem"), shown);
    return fresh ? std::string() : fresh.error().message;
  };
  write("own.pem", "half a certificate");
  write("own.key", "half a key", 0644);
  const std::string all = refused();
  EXPECT_NE(all.find("own.pem: no certificate in PEM"), std::string::npos) << all;
  EXPECT_NE(all.find("chmod 600"), std::string::npos) << all;
  std::filesystem::remove(path("own.pem"));
  EXPECT_NE(refused().find("own.pem"), std::string::npos);
  write("own.pem", first.certificate);
  write("own.key", make_authority("x")->key);
  EXPECT_NE(refused().find("not the certificate's"), std::string::npos);
  write("own.key", first.key);
  EXPECT_NE(refused(kNow + 91 * kDay).find("expired"), std::string::npos);
  EXPECT_NE(refused(kNow - 2 * kDay).find("clock"), std::string::npos);
  write("own.pem", std::string(kPemBytesMax + 1, 'x'));
  EXPECT_NE(refused().find("bytes"), std::string::npos);
  write("own.pem", first.certificate);
  EXPECT_FALSE(*identity->refresh(kNow));
}

TEST_F(Identity, AStartWithABrokenFileFails) {
  own(kNow, kDay);
  const Result<SiteIdentity> late = open_own(kNow + 2 * kDay);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason, "CERTIFICATE_INVALID");
  EXPECT_NE(late.error().message.find("tls.certificate_file"), std::string::npos);
}

}  // namespace
}  // namespace covey::tls
