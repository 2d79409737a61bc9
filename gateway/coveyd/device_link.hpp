// Between MQTT and the engine: decodes what devices say into events, encodes effects into messages.
// Threading: on_message on Paho's thread (decodes and enqueues, nothing else), deliver on the
// runtime's outbox thread. Everything that is refused is counted by reason.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/mqtt/client.hpp"
#include "gateway/engine/events.hpp"
#include "gateway/runtime/runtime.hpp"

namespace covey {

class DeviceLink {
 public:
  // `broker` may be null (external broker: credentials are its operator's business).
  DeviceLink(mqtt::MqttOptions options, broker::EmbeddedBroker* broker);

  // The runtime is made after the link, because its effects come here.
  void connect_to(runtime::Runtime& runtime) { runtime_ = &runtime; }
  Status start() { return client_.start(); }
  void stop(Millis deadline) { client_.stop(deadline); }

  // In order, but for credentials: the broker knows all of a batch, by one reload, before the first
  // grant leaves.
  void deliver(const std::deque<engine::Effect>& effects);

  bool connected() const { return client_.connected(); }
  std::string last_error() const { return client_.last_error(); }
  mqtt::MqttCounters counters() const { return client_.counters(); }
  uint64_t malformed() const { return malformed_; }
  // By reason of the codec, e.g. "MALFORMED".
  std::map<std::string, uint64_t> malformed_by_reason() const;

 private:
  void on_connection(bool connected);
  void on_message(std::string_view topic, ByteView payload);
  void refuse(const Error& error);
  void set_credentials(const std::deque<engine::Effect>& effects);
  void deliver_one(const engine::Effect& effect);
  void publish(const std::string& topic, ByteView payload, mqtt::Qos qos, bool retain);

  broker::EmbeddedBroker* broker_;
  runtime::Runtime* runtime_ = nullptr;
  std::atomic<uint64_t> malformed_{0};
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> malformed_by_reason_;  // guarded by mutex_
  mqtt::MqttClient client_;                              // last: its callbacks use what is above
};

}  // namespace covey
