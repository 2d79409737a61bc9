// SPDX-License-Identifier: Apache-2.0
// The gateway's MQTT client against a real, supervised mosquitto that is killed under it.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <thread>

#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/mqtt/client.hpp"
#include "tests/integration/broker/mqtt_peer.hpp"
#include "tests/integration/broker/temporary_folder.hpp"

namespace covey::mqtt {
namespace {

using testing::Heard;
using testing::MqttPeer;

ByteView bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// What the runtime's queues are in production.
class Inbox {
 public:
  MqttClient::Callbacks callbacks() {
    return {[this](bool connected) {
              const std::lock_guard lock(mutex_);
              connections_.push_back(connected);
              changed_.notify_all();
            },
            [this](std::string_view topic, ByteView payload, bool retained) {
              const std::lock_guard lock(mutex_);
              heard_.push_back(
                  {std::string(topic),
                   std::string(reinterpret_cast<const char*>(payload.data()), payload.size()),
                   retained});
              changed_.notify_all();
            }};
  }
  std::optional<Heard> next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 20s, [this] { return !heard_.empty(); })) return std::nullopt;
    Heard heard = heard_.front();
    heard_.pop_front();
    return heard;
  }
  // Waits for the next change of the connection.
  std::optional<bool> connection() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 30s, [this] { return !connections_.empty(); })) {
      return std::nullopt;
    }
    const bool connected = connections_.front();
    connections_.pop_front();
    return connected;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Heard> heard_;
  std::deque<bool> connections_;
};

class Client : public ::testing::Test {
 protected:
  void SetUp() override {
    broker::BrokerOptions options;
    options.data_dir = folder_.path();
    options.backoff_min = 10ms;
    broker_.emplace(options);
    broker_->set_credential(DeviceId("d1"), "pw");
    const auto started = broker_->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    at_ = *started;
  }
  MqttOptions options() const {
    MqttOptions options;
    options.port = at_.service_port;
    options.username = at_.username;
    options.password = at_.password;
    options.backoff_max = 200ms;
    return options;
  }
  static uint64_t drops(const MqttClient& client, MqttDrop reason) {
    return client.counters().drops[static_cast<size_t>(reason)];
  }

  testing::TemporaryFolder folder_;
  std::optional<broker::EmbeddedBroker> broker_;
  broker::BrokerEndpoints at_;
  Inbox inbox_;
};

TEST_F(Client, TalksBothWays) {
  MqttClient client(options(), inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  ASSERT_EQ(inbox_.connection(), true);
  MqttPeer device(at_.device_port, "d1");
  ASSERT_TRUE(device.connect("d1", "pw"));
  ASSERT_TRUE(device.subscribe("covey/v1/2a/d1/down/+"));
  ASSERT_TRUE(device.publish("covey/v1/2a/d1/up/hello", std::string("a\0b", 3)));
  EXPECT_EQ(inbox_.next(), (Heard{"covey/v1/2a/d1/up/hello", std::string("a\0b", 3), false}));
  ASSERT_TRUE(client.publish("covey/v1/2a/d1/down/ack", bytes("0"), Qos::kAtMostOnce, false).ok());
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/2a/d1/down/ack", "0", false}));
  ASSERT_TRUE(client.publish("covey/v1/2a/d1/down/goal", bytes("1"), Qos::kAtLeastOnce, true).ok());
  EXPECT_EQ(device.hear(), (Heard{"covey/v1/2a/d1/down/goal", "1", false}));
  client.stop(5s);
  EXPECT_EQ(client.counters().published, 2u);
  EXPECT_EQ(client.counters().received, 1u);
  EXPECT_EQ(client.counters().in_flight, 0u);
  EXPECT_EQ(client.publish("t", bytes("x"), Qos::kAtMostOnce, false).error().reason,
            "NOT_CONNECTED");
}

TEST_F(Client, SubscribesAgainAfterTheBrokerWasKilled) {
  MqttClient client(options(), inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  ASSERT_EQ(inbox_.connection(), true);
  for (uint32_t round = 1; round <= 3; ++round) {
    ASSERT_EQ(::kill(broker_->state().pid, SIGKILL), 0);
    ASSERT_EQ(inbox_.connection(), false);
    ASSERT_EQ(inbox_.connection(), true) << client.last_error();
    MqttPeer device(at_.device_port, "d1");
    ASSERT_TRUE(device.connect("d1", "pw"));
    ASSERT_TRUE(device.subscribe("covey/v1/2a/d1/down/+"));
    const std::string text = std::to_string(round);
    ASSERT_TRUE(device.publish("covey/v1/2a/d1/up/status", text));
    EXPECT_EQ(inbox_.next(), (Heard{"covey/v1/2a/d1/up/status", text, false}));
    ASSERT_TRUE(
        client.publish("covey/v1/2a/d1/down/goal", bytes(text), Qos::kAtLeastOnce, true).ok());
    EXPECT_EQ(device.hear(), (Heard{"covey/v1/2a/d1/down/goal", text, false}));
  }
  EXPECT_EQ(client.counters().connects, 4u);
  EXPECT_EQ(client.counters().disconnects, 3u);
}

TEST_F(Client, PublishingThroughLossesNeverThrowsAndNeverWedges) {
  MqttOptions few = options();
  few.in_flight_max = 64;
  MqttClient client(few, inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  ASSERT_EQ(inbox_.connection(), true);
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    while (!done.load()) {
      (void)client.publish("covey/v1/site", bytes("s"), Qos::kAtLeastOnce, true);
    }
  });
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(::kill(broker_->state().pid, SIGKILL), 0);
    EXPECT_EQ(inbox_.connection(), false);
    EXPECT_EQ(inbox_.connection(), true) << client.last_error();
  }
  done.store(true);
  publisher.join();
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (client.counters().in_flight > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(client.counters().in_flight, 0u);
  EXPECT_TRUE(client.publish("covey/v1/site", bytes("s"), Qos::kAtLeastOnce, true).ok());
  EXPECT_GT(drops(client, MqttDrop::kOutNotConnected), 0u);
}

// Paho has a limit of its own, 100 unless told, that would refuse a burst of goals or chunks.
TEST_F(Client, HoldsABurstUpToItsOwnLimitAndNothingLess) {
  MqttOptions bounded = options();
  bounded.in_flight_max = 1000;
  MqttClient client(bounded, inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  ASSERT_EQ(inbox_.connection(), true);
  // Nothing is acknowledged meanwhile: all of them wait.
  ASSERT_EQ(::kill(broker_->state().pid, SIGSTOP), 0);
  size_t accepted = 0;
  while (accepted < 1000 &&
         client.publish("covey/v1/site", bytes("s"), Qos::kAtLeastOnce, true).ok()) {
    ++accepted;
  }
  const Status refused = client.publish("covey/v1/site", bytes("s"), Qos::kAtLeastOnce, true);
  ASSERT_EQ(::kill(broker_->state().pid, SIGCONT), 0);
  EXPECT_EQ(accepted, 1000u);
  EXPECT_EQ(refused.error().reason, "IN_FLIGHT_FULL");
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (client.counters().in_flight > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(client.counters().in_flight, 0u);
  EXPECT_EQ(drops(client, MqttDrop::kOutFailed), 0u);
}

TEST_F(Client, KeepsTryingWhenRefusedAndSaysWhy) {
  MqttOptions wrong = options();
  wrong.password = "wrong";
  MqttClient client(wrong, inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (client.counters().connect_failures < 3 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_GE(client.counters().connect_failures, 3u);
  EXPECT_FALSE(client.connected());
  EXPECT_FALSE(client.last_error().empty());
}

TEST_F(Client, LimitsAreEnforcedInBothDirections) {
  MqttOptions small = options();
  small.payload_bytes_max = 8;
  MqttClient client(small, inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  ASSERT_EQ(inbox_.connection(), true);
  EXPECT_EQ(client.publish("t", bytes("123456789"), Qos::kAtMostOnce, false).error().reason,
            "MESSAGE_TOO_LARGE");
  MqttPeer device(at_.device_port, "d1");
  ASSERT_TRUE(device.connect("d1", "pw"));
  ASSERT_TRUE(device.publish("covey/v1/2a/d1/up/report", "123456789"));
  ASSERT_TRUE(device.publish("covey/v1/2a/d1/up/report", "12345678"));
  EXPECT_EQ(inbox_.next()->payload, "12345678");
  EXPECT_EQ(drops(client, MqttDrop::kInTooLarge), 1u);
  EXPECT_EQ(drops(client, MqttDrop::kOutTooLarge), 1u);
}

TEST_F(Client, StopIsBoundedWhileTheBrokerHangs) {
  MqttClient client(options(), inbox_.callbacks());
  ASSERT_TRUE(client.start().ok());
  ASSERT_EQ(inbox_.connection(), true);
  const pid_t pid = broker_->state().pid;
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  (void)client.publish("covey/v1/site", bytes("s"), Qos::kAtLeastOnce, true);
  const auto start = std::chrono::steady_clock::now();
  client.stop(500ms);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  ::kill(pid, SIGCONT);
}

TEST(ClientOptions, AreChecked) {
  EXPECT_EQ(MqttClient({}, {}).start().error().reason, "MQTT_OPTIONS");
}

}  // namespace
}  // namespace covey::mqtt
