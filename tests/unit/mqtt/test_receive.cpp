// SPDX-License-Identifier: Apache-2.0
// What the client makes of the server's bytes, in pieces of every size, and of hostile ones.
#include "tests/unit/mqtt/session.hpp"

namespace covey::mqtt_test {
namespace {

using namespace std::string_literals;

TEST(MqttReceive, EveryPieceSizeGivesTheSameMessages) {
  const std::string large(1000, 'z');  // larger than every buffer of the client
  const std::string bytes = publish_packet("a/b", "hello") + publish_packet("t", large, 1, 7) +
                            publish_packet("empty", "") + "\xD0\x00"s;
  for (size_t piece = 1; piece <= bytes.size(); piece++) {
    Session session;
    session.establish();
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_EQ(session.feed(std::string_view(bytes).substr(at, piece)), COVEY_MQTT_OK);
      ASSERT_EQ(session.consumed, std::min(piece, bytes.size() - at));
    }
    ASSERT_EQ(session.messages.size(), 3u);
    EXPECT_EQ(session.messages[0].topic, "a/b");
    EXPECT_EQ(session.messages[0].payload, "hello");
    EXPECT_EQ(session.messages[1].payload, large);
    EXPECT_EQ(session.messages[1].total, 1000u);
    EXPECT_EQ(session.messages[2].payload, "");
    for (const Message& message : session.messages) {
      EXPECT_TRUE(message.complete);
    }
    EXPECT_EQ(session.take(), "\x40\x02\x00\x07"s);
  }
}

TEST(MqttReceive, PubackFollowsTheLastPieceOnly) {  // [MQTT-4.3.2-2]
  Session session;
  session.establish();
  const std::string packet = publish_packet("t", "0123456789", 1, 3);
  ASSERT_EQ(session.feed(packet.substr(0, packet.size() - 1)), COVEY_MQTT_OK);
  EXPECT_EQ(session.take(), "");
  ASSERT_EQ(session.feed(packet.substr(packet.size() - 1)), COVEY_MQTT_OK);
  EXPECT_EQ(session.take(), "\x40\x02\x00\x03"s);
}

TEST(MqttReceive, AnAcknowledgementThatDoesNotFitStopsReadingInsteadOfBeingLost) {
  Session session(64);
  session.establish();
  const std::string filler(55, 'x');
  ASSERT_EQ(
      covey_mqtt_publish(&session.client, "t", reinterpret_cast<const uint8_t*>(filler.data()),
                         filler.size(), 0, false, 0, nullptr),
      COVEY_MQTT_OK);  // 60 of 64 bytes are used
  const std::string bytes = publish_packet("a", "1", 1, 1) + publish_packet("a", "2", 1, 2) +
                            publish_packet("a", "3", 1, 3);
  ASSERT_EQ(session.feed(bytes), COVEY_MQTT_OK);
  ASSERT_LT(session.consumed, bytes.size());
  EXPECT_EQ(session.messages.size(), 2u);
  const std::string rest = bytes.substr(session.consumed);
  std::string sent = session.take();
  ASSERT_EQ(session.feed(rest), COVEY_MQTT_OK);
  EXPECT_EQ(session.consumed, rest.size());
  sent += session.take();
  EXPECT_EQ(session.messages.size(), 3u);
  EXPECT_EQ(sent.substr(60), "\x40\x02\x00\x01\x40\x02\x00\x02\x40\x02\x00\x03"s);
}

TEST(MqttReceive, ATopicTooLongForUsIsSkippedAcknowledgedAndCounted) {
  Session session(128, 8);
  session.establish();
  ASSERT_EQ(
      session.feed(publish_packet("0123456", "fits") +
                   publish_packet("01234567", "does not", 1, 9) + publish_packet("next", "ok")),
      COVEY_MQTT_OK);
  ASSERT_EQ(session.messages.size(), 2u);
  EXPECT_EQ(session.messages[1].payload, "ok");
  EXPECT_EQ(covey_mqtt_skipped(&session.client), 1u);
  EXPECT_EQ(session.events.back().type, COVEY_MQTT_EVENT_SKIPPED);
  EXPECT_EQ(session.take(), "\x40\x02\x00\x09"s);
}

TEST(MqttReceive, RetainedFlagReachesTheHandler) {
  Session session;
  session.establish();
  std::string packet = publish_packet("t", "x");
  packet[0] = '\x31';
  ASSERT_EQ(session.feed(packet), COVEY_MQTT_OK);
  EXPECT_TRUE(session.messages[0].retained);
}

TEST(MqttReceive, RefusedConnack) {
  Session session;
  covey_mqtt_connect_options options{};
  options.client_id = "d";
  ASSERT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_OK);
  EXPECT_EQ(session.feed("\x20\x02\x00\x05"s), COVEY_MQTT_REFUSED);
  ASSERT_EQ(session.events.size(), 1u);
  EXPECT_EQ(session.events[0].code, 5);
  EXPECT_FALSE(covey_mqtt_connected(&session.client));
  EXPECT_EQ(session.feed("\xD0\x00"s), COVEY_MQTT_STATE);
}

TEST(MqttReceive, ReconnectForgetsAHalfReadPacketAndWaitingAcks) {
  Session session;
  session.establish();
  ASSERT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 1, false, 0, nullptr),
            COVEY_MQTT_OK);
  ASSERT_EQ(session.feed("\x30\x7F\x00\x05"
                         "ab"s),
            COVEY_MQTT_OK);
  session.establish();
  ASSERT_EQ(session.feed(publish_packet("t", "x")), COVEY_MQTT_OK);
  ASSERT_EQ(session.messages.size(), 1u);
  EXPECT_EQ(session.feed("\x40\x02\x00\x01"s), COVEY_MQTT_PROTOCOL);
}

struct Hostile {
  const char* name;
  std::string bytes;
  int result;
};

TEST(MqttReceive, HostileBytesEndTheConnectionCleanly) {
  const Hostile cases[] = {
      {"remaining length of five bytes (2.2.3)", "\x30\xFF\xFF\xFF\xFF\x01"s, COVEY_MQTT_MALFORMED},
      {"QoS 3 [MQTT-3.3.1-4]", "\x36\x05\x00\x01t\x00\x01"s, COVEY_MQTT_MALFORMED},
      {"QoS 2, never subscribed", "\x34\x05\x00\x01t\x00\x01"s, COVEY_MQTT_PROTOCOL},
      {"reserved flags [MQTT-2.2.2-2]", "\xD1\x00"s, COVEY_MQTT_MALFORMED},
      {"packet type 0", "\x00\x00"s, COVEY_MQTT_MALFORMED},
      {"packet type 15", "\xF0\x00"s, COVEY_MQTT_MALFORMED},
      {"CONNECT from a server", "\x10\x00"s, COVEY_MQTT_MALFORMED},
      {"second CONNACK [MQTT-3.2.0-1]", "\x20\x02\x00\x00"s, COVEY_MQTT_PROTOCOL},
      {"PUBLISH without topic", "\x30\x02\x00\x00"s, COVEY_MQTT_MALFORMED},
      {"empty topic", "\x30\x03\x00\x00x"s, COVEY_MQTT_MALFORMED},
      {"topic beyond the packet", "\x30\x04\x00\x09tt"s, COVEY_MQTT_MALFORMED},
      {"no room for the packet id", "\x32\x03\x00\x01t"s, COVEY_MQTT_MALFORMED},
      {"packet id 0 [MQTT-2.3.1-1]", "\x32\x05\x00\x01t\x00\x00"s, COVEY_MQTT_MALFORMED},
      {"wildcard in a topic [MQTT-3.3.2-2]", "\x30\x04\x00\x01#x"s, COVEY_MQTT_MALFORMED},
      {"NUL in a topic [MQTT-1.5.3-2]", "\x30\x04\x00\x01\x00x"s, COVEY_MQTT_MALFORMED},
      {"PUBACK nobody waits for", "\x40\x02\x00\x05"s, COVEY_MQTT_PROTOCOL},
      {"PUBACK too long", "\x40\x03\x00\x05\x00"s, COVEY_MQTT_MALFORMED},
      {"SUBACK without return code", "\x90\x02\x00\x01"s, COVEY_MQTT_MALFORMED},
      {"PINGRESP with a body", "\xD0\x01x"s, COVEY_MQTT_MALFORMED},
  };
  for (const Hostile& hostile : cases) {
    Session session;
    session.establish();
    EXPECT_EQ(session.feed(hostile.bytes), hostile.result) << hostile.name;
    EXPECT_FALSE(covey_mqtt_connected(&session.client)) << hostile.name;
    EXPECT_EQ(session.feed("\xD0\x00"s), COVEY_MQTT_STATE) << hostile.name;
  }
}

TEST(MqttReceive, NothingButConnackMayComeFirst) {
  for (const std::string& bytes : {publish_packet("t", "x"), "\xD0\x00"s, "\x20\x02\x01\x00"s}) {
    Session session;
    covey_mqtt_connect_options options{};
    options.client_id = "d";
    ASSERT_EQ(covey_mqtt_connect(&session.client, &options, 0), COVEY_MQTT_OK);
    EXPECT_EQ(session.feed(bytes), COVEY_MQTT_PROTOCOL);
  }
}

}  // namespace
}  // namespace covey::mqtt_test
