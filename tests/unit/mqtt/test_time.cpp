// SPDX-License-Identifier: Apache-2.0
// Keep alive and time-outs, with the time as an argument.
#include "tests/unit/mqtt/session.hpp"

namespace covey::mqtt_test {
namespace {

using namespace std::string_literals;

TEST(MqttTime, PingAfterThreeQuartersOfQuietAndTimeoutWithoutAnswer) {
  Session session;
  session.establish(40, 1000);
  uint32_t wait_ms = 0;
  ASSERT_EQ(covey_mqtt_tick(&session.client, 1000, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(wait_ms, 30000u);
  EXPECT_EQ(session.take(), "");
  ASSERT_EQ(covey_mqtt_tick(&session.client, 31000, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(session.take(), "\xC0\x00"s);
  EXPECT_EQ(wait_ms, 5000u);
  ASSERT_EQ(session.feed("\xD0\x00"s, 32000), COVEY_MQTT_OK);
  ASSERT_EQ(covey_mqtt_tick(&session.client, 32000, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(wait_ms, 29000u);
  ASSERT_EQ(covey_mqtt_tick(&session.client, 61000, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(session.take(), "\xC0\x00"s);
  EXPECT_EQ(covey_mqtt_tick(&session.client, 65999, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(covey_mqtt_tick(&session.client, 66000, &wait_ms), COVEY_MQTT_TIMEOUT);
  EXPECT_FALSE(covey_mqtt_connected(&session.client));
}

TEST(MqttTime, AClientThatOnlySendsStillNoticesASilentServer) {
  Session session;
  session.establish(40, 0);
  uint32_t wait_ms = 0;
  for (uint64_t now_ms = 1000; now_ms <= 30000; now_ms += 1000) {
    ASSERT_EQ(covey_mqtt_publish(&session.client, "t", nullptr, 0, 0, false, now_ms, nullptr),
              COVEY_MQTT_OK);
    session.take();
    ASSERT_EQ(covey_mqtt_tick(&session.client, now_ms, &wait_ms), COVEY_MQTT_OK);
  }
  EXPECT_EQ(session.take(), "\xC0\x00"s);
  EXPECT_EQ(covey_mqtt_tick(&session.client, 35000, &wait_ms), COVEY_MQTT_TIMEOUT);
}

TEST(MqttTime, NoConnackInTime) {
  Session session;
  covey_mqtt_connect_options options{};
  options.client_id = "d";
  ASSERT_EQ(covey_mqtt_connect(&session.client, &options, 100), COVEY_MQTT_OK);
  uint32_t wait_ms = 0;
  EXPECT_EQ(covey_mqtt_tick(&session.client, 100, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(wait_ms, 5000u);
  EXPECT_EQ(covey_mqtt_tick(&session.client, 5100, &wait_ms), COVEY_MQTT_TIMEOUT);
}

TEST(MqttTime, OutputThatNeverDrainsEndsInATimeout) {
  Session session(64);
  session.establish(8, 0);
  while (covey_mqtt_publish(&session.client, "t", nullptr, 0, 0, false, 0, nullptr) ==
         COVEY_MQTT_OK) {
  }
  uint32_t wait_ms = 0;
  ASSERT_EQ(covey_mqtt_tick(&session.client, 6000, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(covey_mqtt_tick(&session.client, 11000, &wait_ms), COVEY_MQTT_TIMEOUT);
}

TEST(MqttTime, WithoutKeepAliveThereIsNoDeadline) {
  Session session;
  session.establish(0, 0);
  uint32_t wait_ms = 0;
  ASSERT_EQ(covey_mqtt_tick(&session.client, UINT64_C(1) << 40, &wait_ms), COVEY_MQTT_OK);
  EXPECT_EQ(wait_ms, UINT32_MAX);
}

}  // namespace
}  // namespace covey::mqtt_test
