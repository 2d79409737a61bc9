// SPDX-License-Identifier: Apache-2.0
// Contexts of servers: made of files, made anew when these change, and kept when they are not good.
#include "gateway/adapters/tls/server_contexts.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>

#include "gateway/adapters/tls/certificates.hpp"

namespace covey::tls {
namespace {

class Contexts : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "covey-tls-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    authority_ = *make_authority("plant");
    put("server.pem", issued());
    put("ca.pem", authority_.certificate);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string issued() const {
    const Credentials server =
        *issue_server(authority_, {"127.0.0.1"}, Millis{1'900'000'000'000}, Millis{1'000'000});
    return server.key + server.certificate;
  }
  std::string put(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name) << content;
    return folder_ / name;
  }
  ServerContexts::Files files() const {
    return {.server = folder_ / "server.pem", .above = folder_ / "ca.pem", .client_ca = ""};
  }

  std::filesystem::path folder_;
  Credentials authority_;
};

TEST_F(Contexts, SpeakNothingOlderThanTls12AndAreNotResumed) {
  const auto contexts = ServerContexts::open(files());
  ASSERT_TRUE(contexts.ok()) << contexts.error().message;
  for (const Protocol protocol : {Protocol::kHttp2, Protocol::kHttp1}) {
    SSL_CTX* context = (*contexts)->of(protocol).get();
    EXPECT_EQ(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
    EXPECT_NE(SSL_CTX_get_options(context) & SSL_OP_NO_RENEGOTIATION, 0U);
    EXPECT_NE(SSL_CTX_get_options(context) & SSL_OP_NO_TICKET, 0U);
    EXPECT_EQ(SSL_CTX_get_session_cache_mode(context), SSL_SESS_CACHE_OFF);
    EXPECT_EQ(SSL_CTX_get_verify_mode(context), SSL_VERIFY_NONE) << "nobody is asked";
  }
}

TEST_F(Contexts, AskForCertificatesWhereSomethingVouchesForThem) {
  ServerContexts::Files asking = files();
  asking.client_ca = folder_ / "ca.pem";
  const auto contexts = ServerContexts::open(asking);
  ASSERT_TRUE(contexts.ok());
  EXPECT_EQ(SSL_CTX_get_verify_mode((*contexts)->of(Protocol::kHttp2).get()), SSL_VERIFY_PEER);
}

TEST_F(Contexts, NewFilesAreTakenAndBadOnesAreNot) {
  const std::shared_ptr<ServerContexts> contexts = *ServerContexts::open(files());
  const ContextPtr before = contexts->of(Protocol::kHttp2);
  EXPECT_FALSE(*contexts->reload()) << "nothing has changed";
  EXPECT_EQ(contexts->of(Protocol::kHttp2), before);
  put("server.pem", "no certificate");
  EXPECT_EQ(contexts->reload().error().reason, "CERTIFICATE_INVALID");
  EXPECT_EQ(contexts->of(Protocol::kHttp2), before);
  put("server.pem", issued());
  EXPECT_TRUE(*contexts->reload());
  EXPECT_NE(contexts->of(Protocol::kHttp2), before);
}

TEST_F(Contexts, EachFaultNamesItsFile) {
  ServerContexts::Files asking = files();
  asking.client_ca = put("client.pem", "nothing");
  EXPECT_NE(ServerContexts::open(asking).error().message.find("client.pem"), std::string::npos);
  put("server.pem", authority_.key + issued().substr(issued().find("-----BEGIN CERT")));
  EXPECT_NE(ServerContexts::open(files()).error().message.find("server.pem"), std::string::npos);
}

}  // namespace
}  // namespace covey::tls
