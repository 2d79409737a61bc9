// SPDX-License-Identifier: Apache-2.0
// A client with small buffers that records its events; for the tests of device_agent/mqtt.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "covey/mqtt.h"

namespace covey::mqtt_test {

struct Message {
  std::string topic;
  std::string payload;
  size_t pieces = 0;
  size_t total = 0;
  bool retained = false;
  bool complete = false;
};

class Session {
 public:
  explicit Session(size_t output_size = 128, size_t topic_size = 32)
      : output_(output_size), topic_(topic_size) {
    covey_mqtt_config config{};
    config.output = output_.data();
    config.output_size = output_.size();
    config.topic = topic_.data();
    config.topic_size = topic_.size();
    config.handler = [](void* self, const covey_mqtt_event* event) {
      static_cast<Session*>(self)->on_event(*event);
    };
    config.context = this;
    config.response_timeout_ms = 5000;
    EXPECT_EQ(covey_mqtt_init(&client, &config), COVEY_MQTT_OK);
  }

  // CONNECT and a CONNACK that accepts; output is empty afterwards.
  void establish(uint16_t keep_alive_s = 60, uint64_t now_ms = 0) {
    covey_mqtt_connect_options options{};
    options.client_id = "d";
    options.keep_alive_s = keep_alive_s;
    ASSERT_EQ(covey_mqtt_connect(&client, &options, now_ms), COVEY_MQTT_OK);
    take();
    ASSERT_EQ(feed(std::string("\x20\x02\x00\x00", 4), now_ms), COVEY_MQTT_OK);
    ASSERT_TRUE(covey_mqtt_connected(&client));
  }

  int feed(std::string_view bytes, uint64_t now_ms = 0) {
    size_t used = 0;
    const int result = covey_mqtt_receive(&client, reinterpret_cast<const uint8_t*>(bytes.data()),
                                          bytes.size(), now_ms, &used);
    consumed = used;
    return result;
  }

  // All output so far, taken as sent.
  std::string take() {
    size_t size = 0;
    const uint8_t* bytes = covey_mqtt_output(&client, &size);
    std::string out(reinterpret_cast<const char*>(bytes), size);
    covey_mqtt_sent(&client, size);
    return out;
  }

  covey_mqtt client{};
  size_t consumed = 0;
  std::vector<covey_mqtt_event> events;  // pointers in them are dead
  std::vector<Message> messages;

 private:
  void on_event(const covey_mqtt_event& event) {
    if (event.type != COVEY_MQTT_EVENT_MESSAGE) {
      events.push_back(event);
      return;
    }
    if (event.offset == 0) {
      messages.push_back(
          {std::string(event.topic, event.topic_size), "", 0, event.total, event.retained, false});
    }
    Message& message = messages.back();
    EXPECT_EQ(message.payload.size(), event.offset);
    message.payload.append(reinterpret_cast<const char*>(event.payload), event.size);
    message.pieces++;
    message.complete = event.offset + event.size == event.total;
  }

  std::vector<uint8_t> output_;
  std::vector<char> topic_;
};

// "\x30" + remaining length + topic + packet id (QoS 1) + payload.
inline std::string publish_packet(std::string_view topic, std::string_view payload, uint8_t qos = 0,
                                  uint16_t id = 0) {
  std::string body;
  body.push_back(static_cast<char>(topic.size() >> 8));
  body.push_back(static_cast<char>(topic.size() & 0xFF));
  body.append(topic);
  if (qos > 0) {
    body.push_back(static_cast<char>(id >> 8));
    body.push_back(static_cast<char>(id & 0xFF));
  }
  body.append(payload);
  std::string out(1, static_cast<char>(0x30 | qos << 1));
  size_t length = body.size();
  do {
    const size_t low = length & 0x7F;
    length >>= 7;
    out.push_back(static_cast<char>(low | (length > 0 ? 0x80 : 0)));
  } while (length > 0);
  return out + body;
}

}  // namespace covey::mqtt_test
