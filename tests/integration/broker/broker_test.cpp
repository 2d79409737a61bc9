// SPDX-License-Identifier: Apache-2.0
// The embedded broker's rules against a real mosquitto: who may say and hear what.
// A thing that must not arrive is followed by one that must: it has to be the first to be heard.
#include "gateway/adapters/broker/broker.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "gateway/adapters/broker/retained.hpp"
#include "tests/integration/broker/mqtt_peer.hpp"
#include "tests/integration/broker/temporary_folder.hpp"

namespace covey::broker {
namespace {

using testing::Heard;
using testing::MqttPeer;

class Broker : public ::testing::Test {
 protected:
  void SetUp() override {
    BrokerOptions options;
    options.data_dir = folder_.path();
    broker_.emplace(options);
    broker_->set_credential(DeviceId("d1"), "pw1");
    broker_->set_credential(DeviceId("d2"), "pw2");
    const Result<BrokerEndpoints> started = broker_->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    at_ = *started;
    std::ifstream(at_.enroll_token_file) >> token_;
    gateway_.emplace(at_.service_port, "svc-gateway-1");
    ASSERT_TRUE(gateway_->connect(at_.username, at_.password));
  }

  testing::TemporaryFolder folder_;
  std::optional<EmbeddedBroker> broker_;
  BrokerEndpoints at_;
  std::string token_;
  std::optional<MqttPeer> gateway_;
};

TEST_F(Broker, IsReadyAndKeepsItsFilesToItself) {
  EXPECT_TRUE(broker_->state().ready());
  EXPECT_EQ(broker_->state().restarts, 0u);
  EXPECT_GE(token_.size(), 32u);
  for (const char* name : {"enroll.token", "broker/mosquitto.conf", "broker/device.passwords",
                           "broker/service.passwords", "broker/device.acl"}) {
    struct stat status {};
    ASSERT_EQ(::stat((folder_.path() + "/" + name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777u, 0600u) << name;
  }
}

TEST_F(Broker, EachListenerHasItsOwnUsers) {
  EXPECT_FALSE(MqttPeer(at_.device_port, "x").connect("d1", "wrong"));
  EXPECT_FALSE(MqttPeer(at_.device_port, "x").connect(at_.username, at_.password));
  EXPECT_FALSE(MqttPeer(at_.device_port, "x").connect("enroll", token_));
  EXPECT_FALSE(MqttPeer(at_.enroll_port, "x").connect("d1", "pw1"));
  EXPECT_FALSE(MqttPeer(at_.service_port, "x").connect("d1", "pw1"));
  EXPECT_FALSE(MqttPeer(at_.service_port, "x").connect("enroll", token_));
  EXPECT_TRUE(MqttPeer(at_.device_port, "x").connect("d1", "pw1"));
  EXPECT_TRUE(MqttPeer(at_.enroll_port, "new").connect("enroll", token_));
}

TEST_F(Broker, ADeviceWritesOnlyItsOwnUpTopics) {
  ASSERT_TRUE(gateway_->subscribe("covey/#"));
  MqttPeer device(at_.device_port, "any");
  ASSERT_TRUE(device.connect("d2", "pw2"));
  // Acknowledged, as MQTT 3.1.1 has no way to say no, and dropped.
  for (const char* forbidden :
       {"covey/v1/2a/d1/up/hello", "covey/v1/2a/d2/down/goal", "covey/v1/site", "covey/v1/m/00",
        "covey/v1/enroll/d2/up", "covey/v1/enroll/d1/up", "covey/v1/2a/d2/up", "elsewhere"}) {
    ASSERT_TRUE(device.publish(forbidden, "no")) << forbidden;
  }
  ASSERT_TRUE(device.publish("covey/v1/2a/d2/up/hello", "yes"));
  EXPECT_EQ(gateway_->hear(), (Heard{"covey/v1/2a/d2/up/hello", "yes", false}));
}

// With a `+` for shard or kind a device could have the broker keep as much as it likes.
TEST_F(Broker, OnlyTheKindsAndShardsThatThereAre) {
  ASSERT_TRUE(gateway_->subscribe("covey/#"));
  MqttPeer device(at_.device_port, "any");
  ASSERT_TRUE(device.connect("d2", "pw2"));
  for (const char* forbidden : {"covey/v1/40/d2/up/hello", "covey/v1/t1/d2/up/hello",
                                "covey/v1/2a/d2/up/x", "covey/v1/2A/d2/up/hello"}) {
    ASSERT_TRUE(device.publish(forbidden, "no")) << forbidden;
  }
  for (const char* kind : {"hello", "status", "report", "fetch", "bye"}) {
    const std::string topic = std::string("covey/v1/3f/d2/up/") + kind;
    ASSERT_TRUE(device.publish(topic, "yes"));
    EXPECT_EQ(gateway_->hear(), (Heard{topic, "yes", false}));
  }
}

TEST_F(Broker, WhatDevicesHaveItKeepIsDeleted) {
  MqttPeer device(at_.device_port, "any");
  ASSERT_TRUE(device.connect("d2", "pw2"));
  ASSERT_TRUE(device.publish("covey/v1/2a/d2/up/report", "kept", true));
  ASSERT_TRUE(device.publish("covey/v1/2b/d2/up/bye", "kept", true));
  MqttPeer enrolling(at_.enroll_port, "e1");
  ASSERT_TRUE(enrolling.connect("enroll", token_));
  ASSERT_TRUE(enrolling.publish("covey/v1/enroll/e1/up", "kept", true));
  ASSERT_TRUE(gateway_->publish("covey/v1/2a/d2/down/goal", "goal", true));
  const MqttAccess access{at_.host, at_.service_port, at_.username, at_.password};
  const Result<Swept> swept = sweep_retained(access, 10s);
  ASSERT_TRUE(swept.ok()) << swept.error().message;
  EXPECT_EQ(swept->messages, 3U);
  EXPECT_EQ(swept->by_device, (std::map<std::string, uint64_t>{{"d2", 2}, {"e1", 1}}));
  EXPECT_EQ(sweep_retained(access, 10s)->messages, 0U);
  ASSERT_TRUE(device.subscribe("covey/v1/2a/d2/down/+"));
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/2a/d2/down/goal", "goal", true})) << "ours stay";
}

TEST_F(Broker, AForbiddenSubscriptionIsGrantedAndDeliversNothing) {
  MqttPeer device(at_.device_port, "any");
  ASSERT_TRUE(device.connect("d2", "pw2"));
  ASSERT_TRUE(device.subscribe("covey/#"));
  for (const char* others : {"covey/v1/2a/d1/down/goal", "covey/v1/2a/d1/up/hello",
                             "covey/v1/2a/d2/up/hello", "covey/v1/enroll/d2/down"}) {
    ASSERT_TRUE(gateway_->publish(others, "no"));
  }
  ASSERT_TRUE(gateway_->publish("covey/v1/2a/d2/down/goal", "goal"));
  ASSERT_TRUE(gateway_->publish("covey/v1/site", "site"));
  ASSERT_TRUE(gateway_->publish("covey/v1/m/abc", "manifest"));
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/2a/d2/down/goal", "goal", false}));
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/site", "site", false}));
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/m/abc", "manifest", false}));
}

TEST_F(Broker, RetainedMessagesReachDevicesThatComeLater) {
  ASSERT_TRUE(gateway_->publish("covey/v1/site", "site", true));
  ASSERT_TRUE(gateway_->publish("covey/v1/2a/d1/down/goal", "d1's", true));
  ASSERT_TRUE(gateway_->publish("covey/v1/2a/d2/down/goal", "d2's", true));
  MqttPeer device(at_.device_port, "any");
  ASSERT_TRUE(device.connect("d2", "pw2"));
  ASSERT_TRUE(device.subscribe("covey/v1/+/+/down/+"));
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/2a/d2/down/goal", "d2's", true}));
  ASSERT_TRUE(device.subscribe("covey/v1/site"));
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/site", "site", true}));
}

TEST_F(Broker, NobodyTakesOverAnothersSession) {
  MqttPeer first(at_.device_port, "d1");
  ASSERT_TRUE(first.connect("d1", "pw1"));
  ASSERT_TRUE(first.subscribe("covey/v1/2a/d1/down/+"));
  MqttPeer thief(at_.device_port, "d1");  // the name of the session it wants
  ASSERT_TRUE(thief.connect("d2", "pw2"));
  ASSERT_TRUE(gateway_->publish("covey/v1/2a/d1/down/goal", "still"));
  EXPECT_EQ(first.hear(), (Heard{"covey/v1/2a/d1/down/goal", "still", false}));
  MqttPeer impostor(at_.device_port, "svc-gateway-1");
  ASSERT_TRUE(impostor.connect("d2", "pw2"));
  EXPECT_TRUE(gateway_->publish("covey/v1/2a/d1/down/goal", "and still"));
  EXPECT_TRUE(gateway_->connected());
}

TEST_F(Broker, EnrolmentIsBoundToTheClientId) {
  ASSERT_TRUE(gateway_->subscribe("covey/v1/enroll/+/up"));
  MqttPeer fresh(at_.enroll_port, "d9");
  ASSERT_TRUE(fresh.connect("enroll", token_));
  ASSERT_TRUE(fresh.subscribe("covey/#"));
  ASSERT_TRUE(fresh.publish("covey/v1/enroll/d8/up", "no"));
  ASSERT_TRUE(fresh.publish("covey/v1/2a/d9/up/hello", "no"));
  ASSERT_TRUE(fresh.publish("covey/v1/enroll/d9/up", "yes"));
  EXPECT_EQ(gateway_->hear(), (Heard{"covey/v1/enroll/d9/up", "yes", false}));
  ASSERT_TRUE(gateway_->publish("covey/v1/site", "no"));
  ASSERT_TRUE(gateway_->publish("covey/v1/enroll/d8/down", "another's grant"));
  ASSERT_TRUE(gateway_->publish("covey/v1/enroll/d9/down", "its grant"));
  EXPECT_EQ(fresh.hear(), (Heard{"covey/v1/enroll/d9/down", "its grant", false}));
}

TEST_F(Broker, AClientIdWithWildcardsWidensNothing) {
  ASSERT_TRUE(gateway_->subscribe("covey/v1/enroll/+/up"));
  for (const char* trick : {"+", "#"}) {
    MqttPeer trickster(at_.enroll_port, trick);
    if (!trickster.connect("enroll", token_)) continue;  // refused: as good
    trickster.publish("covey/v1/enroll/d1/up", "no");
    trickster.subscribe("covey/v1/enroll/+/down");
  }
  MqttPeer fresh(at_.enroll_port, "d9");
  ASSERT_TRUE(fresh.connect("enroll", token_));
  ASSERT_TRUE(fresh.publish("covey/v1/enroll/d9/up", "yes"));
  EXPECT_EQ(gateway_->hear(), (Heard{"covey/v1/enroll/d9/up", "yes", false}));
}

TEST_F(Broker, CredentialsChangeAtRunTime) {
  MqttPeer d1(at_.device_port, "d1");
  ASSERT_TRUE(d1.connect("d1", "pw1"));
  ASSERT_TRUE(d1.subscribe("covey/v1/2a/d1/down/+"));
  EXPECT_FALSE(MqttPeer(at_.device_port, "x").connect("d3", "pw3"));

  broker_->set_credential(DeviceId("d3"), "pw3");
  broker_->set_credential(DeviceId("d2"), "changed");
  ASSERT_TRUE(broker_->flush(10s));
  EXPECT_TRUE(MqttPeer(at_.device_port, "x").connect("d3", "pw3"));
  EXPECT_TRUE(MqttPeer(at_.device_port, "x").connect("d2", "changed"));
  EXPECT_FALSE(MqttPeer(at_.device_port, "x").connect("d2", "pw2"));

  broker_->remove_credential(DeviceId("d3"));
  ASSERT_TRUE(broker_->flush(10s));
  EXPECT_FALSE(MqttPeer(at_.device_port, "x").connect("d3", "pw3"));

  // Nobody else noticed.
  ASSERT_TRUE(gateway_->publish("covey/v1/2a/d1/down/goal", "still"));
  EXPECT_EQ(d1.hear(), (Heard{"covey/v1/2a/d1/down/goal", "still", false}));
}

TEST_F(Broker, TooLargePacketsEndTheConnection) {
  MqttPeer device(at_.device_port, "any");
  ASSERT_TRUE(device.connect("d1", "pw1"));
  EXPECT_FALSE(device.publish("covey/v1/2a/d1/up/report", std::string(70'000, 'x')));
}

TEST(Passwords, AreInTheBrokersFormat) {
  const std::string hash = hash_password("secret");
  EXPECT_EQ(hash.substr(0, 5), "$7$1$");
  EXPECT_EQ(hash.size(), 5u + 16 + 1 + 88);
  EXPECT_NE(hash, hash_password("secret"));
  EXPECT_EQ(random_password().size(), 32u);
  EXPECT_NE(random_password(), random_password());
}

}  // namespace
}  // namespace covey::broker
