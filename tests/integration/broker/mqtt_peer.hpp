// SPDX-License-Identifier: Apache-2.0
// A plain MQTT client for tests: says and hears whatever the test wants, with time limits.
#pragma once

#include <mqtt/async_client.h>

#include <chrono>
#include <optional>
#include <string>

namespace covey::testing {

struct Heard {
  std::string topic;
  std::string payload;
  bool retained = false;

  bool operator==(const Heard&) const = default;
};

class MqttPeer {
 public:
  MqttPeer(uint16_t port, const std::string& client_id)
      : client_("tcp://127.0.0.1:" + std::to_string(port), client_id, ::mqtt::create_options(4)) {
    client_.start_consuming();
  }
  ~MqttPeer() {
    try {
      if (client_.is_connected()) client_.disconnect()->wait_for(kPatience);
      client_.stop_consuming();
    } catch (const std::exception&) {
    }
  }
  MqttPeer(const MqttPeer&) = delete;
  MqttPeer& operator=(const MqttPeer&) = delete;

  bool connect(const std::string& username, const std::string& password) {
    try {
      auto options = ::mqtt::connect_options_builder()
                         .mqtt_version(4)
                         .clean_session(true)
                         .user_name(username)
                         .password(password)
                         .connect_timeout(std::chrono::seconds(5))
                         .finalize();
      return client_.connect(options)->wait_for(kPatience);
    } catch (const ::mqtt::exception&) {
      return false;
    }
  }
  bool connected() const { return client_.is_connected(); }

  bool subscribe(const std::string& filter) {
    try {
      return client_.subscribe(filter, 1)->wait_for(kPatience);
    } catch (const ::mqtt::exception&) {
      return false;
    }
  }
  bool publish(const std::string& topic, const std::string& payload, bool retain = false) {
    try {
      return client_.publish(topic, payload.data(), payload.size(), 1, retain)->wait_for(kPatience);
    } catch (const ::mqtt::exception&) {
      return false;
    }
  }
  // The next message; nothing when none comes in time.
  std::optional<Heard> hear() {
    ::mqtt::const_message_ptr message;
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
      // An empty message marks a lost connection in Paho's queue.
      if (client_.try_consume_message_for(&message, std::chrono::milliseconds(100)) && message) {
        return Heard{message->get_topic(), message->to_string(), message->is_retained()};
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr std::chrono::seconds kPatience{10};
  ::mqtt::async_client client_;
};

}  // namespace covey::testing
