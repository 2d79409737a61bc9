// SPDX-License-Identifier: Apache-2.0
// What the client sends, byte for byte (MQTT 3.1.1 chapter 3).
#include "tests/unit/mqtt/session.hpp"

namespace covey::mqtt_test {
namespace {

using namespace std::string_literals;

TEST(MqttEncode, ConnectCarriesEveryFieldInOrder) {
  Session session;
  covey_mqtt_connect_options options{};
  options.client_id = "dev-1";
  options.username = "u";
  options.password = reinterpret_cast<const uint8_t*>("pw");
  options.password_size = 2;
  options.will_topic = "w/t";
  options.will_payload = reinterpret_cast<const uint8_t*>("\0x");
  options.will_size = 2;
  options.will_qos = 1;
  options.will_retain = true;
  options.keep_alive_s = 300;
  ASSERT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_OK);
  // Flags: user, password, will retain, will QoS 1, will, clean session = 1110 1110.
  EXPECT_EQ(session.take(),
            "\x10\x21\x00\x04MQTT\x04\xEE\x01\x2C\x00\x05"
            "dev-1\x00\x03w/t\x00\x02\x00x\x00\x01u\x00\x02pw"s);
}

TEST(MqttEncode, PasswordWithoutUserIsRefused) {  // [MQTT-3.1.2-22]
  Session session;
  covey_mqtt_connect_options options{};
  options.client_id = "d";
  options.password = reinterpret_cast<const uint8_t*>("x");
  options.password_size = 1;
  EXPECT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_ARGUMENT);
}

TEST(MqttEncode, PublishQos0AndQos1) {
  Session session;
  session.establish();
  const auto* payload = reinterpret_cast<const uint8_t*>("hi");
  ASSERT_EQ(covey_mqtt_publish(&session.client, "a/b", payload, 2, 0, true, 0, nullptr),
            COVEY_MQTT_OK);
  EXPECT_EQ(session.take(),
            "\x31\x07\x00\x03"
            "a/bhi"s);
  uint16_t id = 0;
  ASSERT_EQ(covey_mqtt_publish(&session.client, "a/b", payload, 2, 1, false, 0, &id),
            COVEY_MQTT_OK);
  EXPECT_EQ(id, 1);
  EXPECT_EQ(session.take(),
            "\x32\x09\x00\x03"
            "a/b\x00\x01hi"s);
  ASSERT_EQ(session.feed("\x40\x02\x00\x01"s), COVEY_MQTT_OK);
  EXPECT_EQ(session.events.back().type, COVEY_MQTT_EVENT_PUBLISHED);
  EXPECT_EQ(session.events.back().packet_id, 1);
}

TEST(MqttEncode, RemainingLengthTakesTwoBytesFrom128) {
  Session session(512);
  session.establish();
  const std::string payload(125, 'x');  // 2 + 1 + 125 = 128
  ASSERT_EQ(
      covey_mqtt_publish(&session.client, "t", reinterpret_cast<const uint8_t*>(payload.data()),
                         payload.size(), 0, false, 0, nullptr),
      COVEY_MQTT_OK);
  EXPECT_EQ(session.take().substr(0, 5), "\x30\x80\x01\x00\x01"s);
}

TEST(MqttEncode, SubscribeAndUnsubscribeHoldAllFilters) {
  Session session;
  session.establish();
  const char* filters[] = {"a/+", "b"};
  uint16_t id = 0;
  ASSERT_EQ(covey_mqtt_subscribe(&session.client, filters, 2, 1, 0, &id), COVEY_MQTT_OK);
  EXPECT_EQ(session.take(),
            "\x82\x0C\x00\x01\x00\x03"
            "a/+\x01\x00\x01"
            "b\x01"s);
  ASSERT_EQ(covey_mqtt_unsubscribe(&session.client, filters, 2, 0, &id), COVEY_MQTT_OK);
  EXPECT_EQ(id, 2);
  EXPECT_EQ(session.take(),
            "\xA2\x0A\x00\x02\x00\x03"
            "a/+\x00\x01"
            "b"s);
  ASSERT_EQ(session.feed("\x90\x04\x00\x01\x01\x80\xB0\x02\x00\x02"s), COVEY_MQTT_OK);
  ASSERT_EQ(session.events.size(), 3u);
  EXPECT_EQ(session.events[1].type, COVEY_MQTT_EVENT_SUBSCRIBED);
  EXPECT_EQ(session.events[1].code, 0x80);
  EXPECT_EQ(session.events[2].type, COVEY_MQTT_EVENT_UNSUBSCRIBED);
}

TEST(MqttEncode, PacketThatNeverFitsIsTooLargeAndOneThatMayFitLaterIsBusy) {
  Session session(64);
  session.establish();
  const std::string payload(100, 'x');
  const auto* bytes = reinterpret_cast<const uint8_t*>(payload.data());
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", bytes, 100, 0, false, 0, nullptr),
            COVEY_MQTT_TOO_LARGE);
  ASSERT_EQ(covey_mqtt_publish(&session.client, "t", bytes, 40, 0, false, 0, nullptr),
            COVEY_MQTT_OK);
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", bytes, 40, 0, false, 0, nullptr),
            COVEY_MQTT_BUSY);
  covey_mqtt_sent(&session.client, 10);  // a transport that takes a part
  EXPECT_EQ(session.take(), std::string(35, 'x'));
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", bytes, 40, 0, false, 0, nullptr),
            COVEY_MQTT_OK);
}

TEST(MqttEncode, InFlightIsBoundedAndIdsNeverCollide) {
  Session session(1024);
  session.establish();
  for (int i = 0; i < COVEY_MQTT_IN_FLIGHT_MAX; i++) {
    ASSERT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 1, false, 0, nullptr),
              COVEY_MQTT_OK);
  }
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 1, false, 0, nullptr),
            COVEY_MQTT_BUSY);
  // Id 1 stays open while the others go once around: it must not be given out a second time.
  ASSERT_EQ(session.feed("\x40\x02\x00\x02"s), COVEY_MQTT_OK);
  for (int i = 0; i < 70000; i++) {
    session.take();
    uint16_t id = 0;
    ASSERT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 1, false, 0, &id),
              COVEY_MQTT_OK);
    ASSERT_NE(id, 0);
    ASSERT_NE(id, 1);
    const std::string ack = {'\x40', '\x02', static_cast<char>(id >> 8),
                             static_cast<char>(id & 0xFF)};
    ASSERT_EQ(session.feed(ack), COVEY_MQTT_OK);
    session.events.clear();
  }
}

TEST(MqttEncode, NothingMayBeSentBeforeConnackOrAfterDisconnect) {
  Session session;
  covey_mqtt_connect_options options{};
  options.client_id = "d";
  ASSERT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_OK);
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 0, false, 0, nullptr),
            COVEY_MQTT_STATE);
  session.establish();
  ASSERT_EQ(covey_mqtt_disconnect(&session.client, 0), COVEY_MQTT_OK);
  EXPECT_EQ(session.take(), "\xE0\x00"s);
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 0, false, 0, nullptr),
            COVEY_MQTT_STATE);  // [MQTT-3.14.4-2]
}

TEST(MqttEncode, WildcardsAndEmptyTopicsAreRefused) {  // [MQTT-3.3.2-2], [MQTT-4.7.3-1]
  Session session;
  session.establish();
  for (const char* topic : {"", "a/+", "a/#"}) {
    EXPECT_EQ(covey_mqtt_publish(&session.client, topic, nullptr, 0, 0, false, 0, nullptr),
              COVEY_MQTT_ARGUMENT);
  }
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 2, false, 0, nullptr),
            COVEY_MQTT_ARGUMENT);
}

TEST(MqttEncode, WhatNoPacketCanHoldIsRefusedAndLeavesNothingBehind) {
  Session session;
  session.establish();
  const std::string longest(65536, 'x');  // one more than a length of two bytes can say (1.5.3)
  const char* filters[] = {"a", ""};
  EXPECT_EQ(covey_mqtt_publish(&session.client, longest.c_str(), nullptr, 0, 0, false, 0, nullptr),
            COVEY_MQTT_ARGUMENT);
  EXPECT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 1, 0, false, 0, nullptr),
            COVEY_MQTT_ARGUMENT);
  EXPECT_EQ(covey_mqtt_publish(&session.client, nullptr, nullptr, 0, 0, false, 0, nullptr),
            COVEY_MQTT_ARGUMENT);
  // Larger than any packet (2.2.3), and so large that a sum of lengths would wrap: nothing is read.
  const auto* payload = reinterpret_cast<const uint8_t*>("x");
  for (const size_t size : {size_t{268435456}, SIZE_MAX - 1, SIZE_MAX}) {
    EXPECT_EQ(covey_mqtt_publish(&session.client, "t", payload, size, 1, false, 0, nullptr),
              COVEY_MQTT_TOO_LARGE);
  }
  EXPECT_EQ(covey_mqtt_subscribe(&session.client, filters, 2, 1, 0, nullptr), COVEY_MQTT_ARGUMENT);
  EXPECT_EQ(covey_mqtt_subscribe(&session.client, filters, 0, 1, 0, nullptr), COVEY_MQTT_ARGUMENT);
  EXPECT_EQ(covey_mqtt_subscribe(&session.client, filters, 1, 2, 0, nullptr), COVEY_MQTT_ARGUMENT);
  EXPECT_EQ(session.take(), "");
  uint16_t id = 0;  // none of them took an id
  ASSERT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 1, false, 0, &id), COVEY_MQTT_OK);
  EXPECT_EQ(id, 1);
}

TEST(MqttEncode, AWillWithoutItsPayloadIsRefused) {
  Session session;
  covey_mqtt_connect_options options{};
  options.client_id = "d";
  options.will_topic = "w";
  options.will_size = 1;
  EXPECT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_ARGUMENT);
  options.will_size = 0;  // an empty one is fine
  EXPECT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_OK);
}

}  // namespace
}  // namespace covey::mqtt_test
