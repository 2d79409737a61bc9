// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/retained.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace covey::broker {
namespace {

constexpr std::array<std::string_view, 2> kUpTopics = {"covey/v1/+/+/up/+", "covey/v1/enroll/+/up"};
constexpr size_t kDevicesMax = 100;
constexpr size_t kTopicsAtOnce = 10'000;  // the rest at the next sweep

// covey/v1/{shard or enroll}/{device}/up...
std::string device_of(std::string_view topic) {
  size_t begin = 0;
  for (int level = 0; level < 3; ++level) begin = topic.find('/', begin) + 1;
  return std::string(topic.substr(begin, topic.find('/', begin) - begin));
}

Status subscribe(MqttConnection& connection) {
  std::string body("\x00\x01", 2);  // packet identifier
  for (const std::string_view topic : kUpTopics) {
    append_text(body, topic);
    body += '\0';
  }
  // [MQTT-3.8] The answer to the ping comes behind what was retained.
  if (const Status sent = connection.send(0x82, body); !sent) return sent;
  return connection.send(0xc0, {});
}

}  // namespace

Result<Swept> sweep_retained(const MqttAccess& access, Millis timeout) {
  Result<MqttConnection> connection =
      MqttConnection::open(access, fmt::format("svc-sweep-{}", ::getpid()), timeout);
  if (!connection) return connection.error();
  if (const Status asked = subscribe(*connection); !asked) return asked.error();
  std::vector<std::string> topics;
  for (;;) {
    const Result<MqttPacket> packet = connection->receive();
    if (!packet) return packet.error();
    if (packet->kind() == MqttConnection::kPingResponse) break;
    const bool retained = packet->kind() == MqttConnection::kPublish &&
                          (packet->first & MqttConnection::kRetain) != 0;
    if (!retained || packet->body.size() < 2 || topics.size() >= kTopicsAtOnce) continue;
    const size_t length = static_cast<size_t>(static_cast<uint8_t>(packet->body[0])) << 8U |
                          static_cast<uint8_t>(packet->body[1]);
    topics.push_back(packet->body.substr(2, length));
  }
  Swept swept;
  for (const std::string& topic : topics) {
    std::string body;
    append_text(body, topic);
    // [MQTT-3.3.1-10] Retained and without a payload: the message is removed.
    const uint8_t publish = MqttConnection::kPublish << 4U | MqttConnection::kRetain;
    if (const Status sent = connection->send(publish, body); !sent) return sent.error();
    ++swept.messages;
    std::string device = device_of(topic);
    if (swept.by_device.size() < kDevicesMax || swept.by_device.contains(device)) {
      ++swept.by_device[std::move(device)];
    }
  }
  // Answered when all of it was read.
  if (const Status asked = connection->send(0xc0, {}); !asked) return asked.error();
  for (;;) {
    const Result<MqttPacket> packet = connection->receive();
    if (!packet) return packet.error();
    if (packet->kind() == MqttConnection::kPingResponse) break;
  }
  connection->disconnect();
  return swept;
}

}  // namespace covey::broker
