// SPDX-License-Identifier: Apache-2.0
// Between MQTT and the engine: decodes what devices say into events, encodes effects into messages.
// It is the sink of what devices are told; chunks, goals, grants and certificates wait here until
// the broker takes them, in lanes of their own, so that nothing else waits behind them and nobody's
// goal is dropped because others were told theirs. Public-key work is done in such lanes: keys and
// requests are looked at before the engine hears of them, grants sealed and certificates made
// behind it. Threading: on_message on Paho's thread (decodes and
// enqueues, nothing else), deliver on the runtime's outbox thread. Everything that is refused is
// counted by reason.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/adapters/mqtt/client.hpp"
#include "gateway/adapters/mqtt/device_shares.hpp"
#include "gateway/adapters/tls/device_certificates.hpp"
#include "gateway/adapters/tls/manufacturers.hpp"
#include "gateway/engine/events.hpp"
#include "gateway/runtime/chunk_queue.hpp"
#include "gateway/runtime/lane.hpp"
#include "gateway/runtime/newest_queue.hpp"
#include "gateway/runtime/runtime.hpp"

namespace covey {

class DeviceLink {
 public:
  // `let_in` returns when the broker knows the passwords that it was given: called, on a thread of
  // its own, before devices are told that they may come. Empty: they are the business of others.
  // `authority` issues certificates; none: grants go without.
  DeviceLink(mqtt::MqttOptions options, mqtt::DeviceShares::Share share,
             std::function<void()> let_in, std::optional<tls::DeviceAuthority> authority);

  // The runtime is made after the link, because its effects come here.
  void connect_to(runtime::Runtime& runtime) { runtime_ = &runtime; }
  Status start() { return client_.start(); }
  void stop(Millis deadline) {
    client_.stop(deadline);
    checking_.stop(0ms);
    granting_.stop(0ms);
    telling_.stop(0ms);
    sending_.stop(0ms);
  }

  void deliver(std::span<const engine::Effect> effects);
  // Whose certificates say who a device is: all of them. Any thread.
  void trust(const std::vector<AuthorityRecord>& authorities);

  bool connected() const { return client_.connected(); }
  std::string last_error() const { return client_.last_error(); }
  mqtt::MqttCounters counters() const { return client_.counters(); }
  uint64_t malformed() const { return malformed_; }
  engine::ChunkFlow chunks() const { return {chunks_.chunks(), chunks_sent_}; }
  // By reason of the codec, e.g. "MALFORMED".
  std::map<std::string, uint64_t> malformed_by_reason() const;

 private:
  void on_connection(bool connected);
  void on_message(std::string_view topic, ByteView payload, bool retained);
  void refuse(const Error& error);
  void deliver_one(const engine::Effect& effect);
  void on_enroll(engine::EnrollReceived asked);
  void check_requests();
  void grant_later(const engine::Effect& effect);
  void give_grants();
  void give_certificates();
  void publish_grant(const engine::PublishGrant& grant);
  void publish_certificate(const engine::PublishCertificate& certificate);
  // Looks at the key, and at who says whose it is. False: refused.
  bool check_key(engine::EnrollMessage& message);
  bool check_manufacturer(engine::EnrollMessage& message);
  // Empty: none, and the log says why.
  Bytes issue(const DeviceId& device, const engine::CertificateOrder& order) const;
  using GoalOrNone = std::variant<engine::PublishGoal, engine::ClearGoal>;
  void tell_later(const DeviceId& device, GoalOrNone goal);
  void tell_goals();
  void publish_goal(const engine::PublishGoal& goal);
  bool has_room();
  void send_chunks();
  void publish_chunk(const engine::PublishChunks& chunks, uint32_t index);
  bool publish(const std::string& topic, ByteView payload, mqtt::Qos qos, bool retain);

  const std::function<void()> let_in_;
  const std::optional<tls::DeviceAuthority> authority_;
  runtime::Runtime* runtime_ = nullptr;
  mqtt::DeviceShares shares_;  // Paho's thread
  uint64_t sessions_ = 0;      // with the broker; Paho's thread
  std::atomic<uint64_t> malformed_{0};
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> malformed_by_reason_;    // guarded by mutex_
  tls::Manufacturers manufacturers_;                       // guarded by mutex_
  runtime::NewestQueue<engine::EnrollReceived> requests_;  // with keys to be looked at
  runtime::NewestQueue<engine::PublishGrant> grants_;      // until the broker knows the password
  runtime::NewestQueue<engine::PublishCertificate> certificates_;
  runtime::NewestQueue<GoalOrNone> goals_;
  runtime::ChunkQueue chunks_;
  std::atomic<uint64_t> chunks_sent_{0};
  mqtt::MqttClient client_;  // its callbacks use what is above
  runtime::Lane checking_;   // last: they use the client
  runtime::Lane granting_;
  runtime::Lane telling_;
  runtime::Lane sending_;
};

}  // namespace covey
