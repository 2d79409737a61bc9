// SPDX-License-Identifier: Apache-2.0
// A device with a key of its own, against what the gateway really makes for it.
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "gateway/adapters/tls/device_certificates.hpp"
#include "gateway/adapters/tls/sealing.hpp"
#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

covey::Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
std::string text_of(const covey::Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

class OwnKey : public testing::Test {
 protected:
  OwnKey() : authority_(*tls::DeviceAuthority::open(*tls::make_authority("plant-7"))) {
    covey_host_store_memory(&certificate_);
    certificate_port_ = covey_host_store_port(&certificate_);
    own_ = covey_openssl_device_key(key_, &certificate_port_);
    bench.device.port.device_key = &own_;
    bench.gateway.enroll_state = wire::ENROLL_STATE_PENDING;
  }
  ~OwnKey() override { EVP_PKEY_free(key_); }

  // What it asks with, at its next occasion.
  wire::EnrollRequest asked() {
    if (!bench.device.running) {
      EXPECT_TRUE(bench.device.boot());
    }
    bench.device.connect();
    wire::EnrollRequest request;
    for (int i = 0; i < 100 && request.nonce() == 0; ++i) {
      bench.device.now_ms += 100;
      covey_agent_poll(&bench.device.agent, bench.device.now_ms);
      for (const Message& message : bench.device.outbox) {
        if (message.topic == "covey/v1/enroll/press-07/up") {
          EXPECT_TRUE(request.ParseFromString(message.payload));
        }
      }
      bench.device.outbox.clear();
    }
    return request;
  }
  covey::Bytes point(const wire::EnrollRequest& request) {
    Result<covey::Bytes> key =
        tls::key_of_request(bytes_of(request.certificate_request()), DeviceId("press-07"));
    EXPECT_TRUE(key) << key.error().message;
    return key ? *key : covey::Bytes{};
  }
  std::string certificate(const covey::Bytes& key, uint8_t number) {
    tls::DeviceCertificate facts{.device = DeviceId("press-07"), .key = key};
    facts.serial.fill(number);
    facts.not_after = Millis{4'000'000'000'000};
    return text_of(*authority_.issue(facts));
  }
  wire::EnrollGrant grant(uint64_t nonce, const std::string& certificate) const {
    wire::EnrollGrant inner;
    inner.set_nonce(nonce);
    inner.set_state(wire::ENROLL_STATE_ACCEPTED);
    inner.set_order_key(bench.gateway.order_key);
    inner.set_username("press-07");
    inner.set_password("secret");
    inner.set_shard("2a");
    inner.set_site_epoch(1);
    inner.set_certificate(certificate);
    return inner;
  }
  static wire::EnrollGrant sealed(const wire::EnrollGrant& inner, const covey::Bytes& key) {
    wire::EnrollGrant outer;
    outer.set_nonce(inner.nonce());
    outer.set_state(inner.state());
    outer.set_sealed(
        text_of(*tls::seal(key, tls::kEnrolmentInfo, bytes_of(inner.SerializeAsString()))));
    return outer;
  }
  int deliver(const wire::EnrollGrant& grant) {
    return bench.device.deliver({"covey/v1/enroll/press-07/down", grant.SerializeAsString()});
  }

  EVP_PKEY* key_ = EVP_EC_gen("P-256");
  covey_host_store_t certificate_{};
  covey_store_t certificate_port_{};
  covey_device_key_t own_{};
  tls::DeviceAuthority authority_;
  Bench bench;
};

TEST_F(OwnKey, ARequestIsOneThatTheGatewayTakes) {
  const wire::EnrollRequest request = asked();
  EXPECT_TRUE(request.public_key().empty());
  EXPECT_EQ(point(request).size(), 65U);
  EXPECT_LE(request.certificate_request().size(), size_t{COVEY_OWN_REQUEST_BYTES_MAX});
}

TEST_F(OwnKey, RequestsOfIdsOfEveryLengthAreWellFormed) {
  for (size_t size = 1; size <= COVEY_DEVICE_ID_BYTES_MAX; ++size) {
    const std::string id(size, 'd');
    Bench one;
    one.device.port.device_key = &own_;
    one.device.config.device_id = id.c_str();
    ASSERT_TRUE(one.device.boot());
    one.device.connect();
    wire::EnrollRequest request;
    for (int i = 0; i < 100 && request.nonce() == 0; ++i) {
      one.device.now_ms += 100;
      covey_agent_poll(&one.device.agent, one.device.now_ms);
      for (const Message& message : one.device.outbox) {
        ASSERT_TRUE(request.ParseFromString(message.payload));
      }
      one.device.outbox.clear();
    }
    const Result<covey::Bytes> key =
        tls::key_of_request(bytes_of(request.certificate_request()), DeviceId(id));
    EXPECT_TRUE(key) << size << ": " << key.error().message;
  }
}

TEST_F(OwnKey, WithoutACertificateTheKeyIsSaidAlone) {
  own_.certificate = nullptr;
  const wire::EnrollRequest request = asked();
  EXPECT_TRUE(request.certificate_request().empty());
  const covey::Bytes key = bytes_of(request.public_key());
  ASSERT_TRUE(tls::check_point(key));
  EXPECT_EQ(deliver(sealed(grant(request.nonce(), ""), key)), COVEY_OK);
  EXPECT_TRUE(covey_agent_enrolled(&bench.device.agent));
}

TEST_F(OwnKey, WhatIsSealedForItLetsItInAndItsCertificateIsKept) {
  const wire::EnrollRequest request = asked();
  const covey::Bytes key = point(request);
  const std::string first = certificate(key, 0x41);
  ASSERT_EQ(deliver(sealed(grant(request.nonce(), first), key)), COVEY_OK);
  covey_credentials_t credentials;
  ASSERT_EQ(covey_agent_credentials(&bench.device.agent, &credentials), COVEY_OK);
  EXPECT_STREQ(credentials.password, "secret");
  EXPECT_EQ(std::string(certificate_.bytes, certificate_.bytes + certificate_.size), first);
  EXPECT_EQ(bench.device.agent.certificate, 0x4141414141414141U);
  // It says so, also after a restart.
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.agent.certificate, 0x4141414141414141U);
  bench.run(10'000);
  ASSERT_TRUE(bench.gateway.hello);
  EXPECT_EQ(bench.gateway.hello->certificate(), 0x4141414141414141U);
}

TEST_F(OwnKey, WhatOthersCouldReadIsNoGrant) {
  const wire::EnrollRequest request = asked();
  const covey::Bytes key = point(request);
  const wire::EnrollGrant inner = grant(request.nonce(), "");
  EXPECT_NE(deliver(inner), COVEY_OK) << "keys in clear";
  EVP_PKEY* other = EVP_EC_gen("P-256");
  const covey_device_key_t others = covey_openssl_device_key(other, nullptr);
  covey::Bytes other_point(65);
  ASSERT_EQ(others.public_key(others.ctx, other_point.data()), 0);
  EXPECT_NE(deliver(sealed(inner, other_point)), COVEY_OK) << "for another key";
  EVP_PKEY_free(other);
  wire::EnrollGrant changed = sealed(inner, key);
  for (const size_t at : {size_t{1}, size_t{70}, changed.sealed().size() - 1}) {
    wire::EnrollGrant one = changed;
    (*one.mutable_sealed())[at] = static_cast<char>(one.sealed()[at] ^ 1);
    EXPECT_NE(deliver(one), COVEY_OK) << "changed at " << at;
  }
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65}, size_t{80}, size_t{81}, size_t{90}}) {
    wire::EnrollGrant one = changed;
    one.mutable_sealed()->resize(size);
    EXPECT_NE(deliver(one), COVEY_OK) << size << " bytes";
  }
  wire::EnrollGrant again = inner;
  again.set_nonce(inner.nonce() + 1);
  wire::EnrollGrant replayed = sealed(again, key);
  replayed.set_nonce(inner.nonce());
  EXPECT_NE(deliver(replayed), COVEY_OK) << "of another enrolment";
  EXPECT_FALSE(covey_agent_enrolled(&bench.device.agent));
  EXPECT_EQ(deliver(changed), COVEY_OK);
}

TEST_F(OwnKey, ARenewedCertificateTakesThePlaceOfTheOld) {
  const wire::EnrollRequest request = asked();
  const covey::Bytes key = point(request);
  ASSERT_EQ(deliver(sealed(grant(request.nonce(), certificate(key, 0x41)), key)), COVEY_OK);
  const std::string second = certificate(key, 0x42);
  wire::Certificate renewal;
  renewal.set_certificate(second);
  const std::string topic = "covey/v1/2a/press-07/down/certificate";
  EXPECT_EQ(bench.device.deliver({topic, renewal.SerializeAsString()}), COVEY_ERROR_MAC_INVALID);
  EXPECT_EQ(bench.device.agent.certificate, 0x4141414141414141U);
  EXPECT_EQ(bench.device.deliver(bench.gateway.sealed("certificate", renewal.SerializeAsString())),
            COVEY_OK);
  EXPECT_EQ(std::string(certificate_.bytes, certificate_.bytes + certificate_.size), second);
  renewal.set_certificate("no certificate");
  EXPECT_EQ(bench.device.deliver(bench.gateway.sealed("certificate", renewal.SerializeAsString())),
            COVEY_ERROR_MESSAGE_MALFORMED);
  EXPECT_EQ(bench.device.agent.certificate, 0x4242424242424242U);
}

TEST_F(OwnKey, WhoseCertificateHasEndedEnrolsOnceMoreAndForgetsNothing) {
  const wire::EnrollRequest request = asked();
  const covey::Bytes key = point(request);
  ASSERT_EQ(deliver(sealed(grant(request.nonce(), certificate(key, 0x41)), key)), COVEY_OK);
  bench.device.agent.goal_counter = 7;
  bench.device.disconnect();
  covey_agent_enroll_again(&bench.device.agent);
  EXPECT_FALSE(covey_agent_enrolled(&bench.device.agent));
  const wire::EnrollRequest again = asked();
  EXPECT_EQ(again.nonce(), request.nonce());
  EXPECT_EQ(point(again), key);
  ASSERT_EQ(deliver(sealed(grant(request.nonce(), certificate(key, 0x43)), key)), COVEY_OK);
  EXPECT_TRUE(covey_agent_enrolled(&bench.device.agent));
  EXPECT_EQ(bench.device.agent.certificate, 0x4343434343434343U);
  EXPECT_EQ(covey_agent_goal_counter(&bench.device.agent), 7U) << "or old goals could be replayed";
}

}  // namespace
}  // namespace covey::agent_test
