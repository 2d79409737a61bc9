// SPDX-License-Identifier: Apache-2.0
// A connection to the broker as the gateway's service user, spoken by hand: for the supervisor's
// probe and sweep, which must neither depend on Paho nor hang. MQTT 3.1.1, QoS 0.
//
// Thread safety: used by one thread. Every wait ends at the deadline given to open().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {

struct MqttAccess {
  std::string host;
  uint16_t port = 0;
  std::string username;
  std::string password;
};

struct MqttPacket {
  uint8_t first = 0;  // kind and flags
  std::string body;

  uint8_t kind() const { return static_cast<uint8_t>(first >> 4U); }
};

class MqttConnection {
 public:
  static constexpr uint8_t kPublish = 3;
  static constexpr uint8_t kPingResponse = 13;
  static constexpr uint8_t kRetain = 1;  // flag of PUBLISH

  // Connected and accepted. Errors: BROKER_UNREACHABLE, BROKER_SILENT, BROKER_REFUSED.
  static Result<MqttConnection> open(const MqttAccess& access, const std::string& client_id,
                                     Millis timeout);
  // A whole packet; `first` is its kind and flags.
  Status send(uint8_t first, std::string_view body);
  Result<MqttPacket> receive();
  void disconnect();

 private:
  MqttConnection(const MqttAccess& access, Descriptor fd,
                 std::chrono::steady_clock::time_point deadline)
      : name_(access.host + ":" + std::to_string(access.port)),
        fd_(std::move(fd)),
        deadline_(deadline) {}
  Error problem(const char* reason, std::string_view what) const;
  bool wait_for(short events) const;
  Status take(char* to, size_t size);

  std::string name_;
  Descriptor fd_;
  std::chrono::steady_clock::time_point deadline_;
};

// [MQTT-1.5.3] A text with its length before it.
void append_text(std::string& to, std::string_view text);

}  // namespace covey::broker
