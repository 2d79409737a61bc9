// SPDX-License-Identifier: Apache-2.0
// The gateway's MQTT client: Paho C++ behind the few operations that the runtime needs.
//
// MQTT 3.1.1, set explicitly: it is what every broker and device speaks, nothing of MQTT 5 is
// needed here (its flow control does not hold in mosquitto 2.0.11), and Paho's default tries 3.1 as
// a fall-back, which has a use-after-free. Sessions are clean; the outbox is the store, never Paho.
//
// Reconnecting is our own: one thread connects, subscribes again after *every* connect and backs
// off with jitter. Paho's automatic reconnect stays off (the two together abort).
//
// Thread safety: start, stop and publish from any thread; stop once. on_message runs on Paho's
// receive thread, on_connection on the connection thread: they copy into a bounded queue and
// return; they never throw, block, publish or call back into the client.
//
// Errors: NOT_CONNECTED, IN_FLIGHT_FULL, MESSAGE_TOO_LARGE, MQTT_PUBLISH; the caller's dirty mark
// repeats what did not go out. Success means "handed to the network layer", nothing more.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::mqtt {

enum class Qos : uint8_t { kAtMostOnce = 0, kAtLeastOnce = 1 };

struct MqttOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string client_id;  // empty: "svc-gateway-" and 16 random hex digits
  std::string username;
  std::string password;
  std::string ca_file;           // PEM, what vouches for the broker: TLS; empty: plaintext
  std::string certificate_file;  // PEM, by which the broker knows us; empty: by user and password
  std::string key_file;          // of that
  std::vector<std::string> subscriptions = {"covey/v1/+/+/up/+", "covey/v1/enroll/+/up",
                                            "covey/v1/c/+/+/up"};
  Millis keep_alive{20s};
  Millis connect_timeout{5s};
  Millis backoff_min{100};
  Millis backoff_max{5s};
  size_t payload_bytes_max = 65'536;  // both directions
  size_t in_flight_max = 4096;        // publishes Paho holds, all QoS
};

// Why a message did not pass. Exported by name; never persisted.
enum class MqttDrop : uint8_t {
  kOutNotConnected,
  kOutInFlightFull,
  kOutTooLarge,
  kOutFailed,  // Paho refused, or the publish failed later
  kInTooLarge,
  kInBadTopic,   // counted by the caller through count_drop()
  kInRetained,   // likewise
  kInEmpty,      // likewise
  kInQueueFull,  // likewise
  kInOverShare,  // likewise: its device sends more than anybody should
  kCount,
};
std::string_view to_string(MqttDrop reason);

struct MqttCounters {
  uint64_t received = 0;
  uint64_t received_bytes = 0;
  uint64_t published = 0;
  uint64_t published_bytes = 0;
  uint64_t connects = 0;     // with all subscriptions granted
  uint64_t disconnects = 0;  // unasked
  uint64_t connect_failures = 0;
  uint64_t in_flight = 0;
  std::array<uint64_t, static_cast<size_t>(MqttDrop::kCount)> drops{};
};

// What Paho has to say of its errors, for the whole process; before the first client starts. `said`
// runs on Paho's threads: it must not block.
void log_paho_to(void (*said)(const char* text));

class MqttClient {
 public:
  struct Callbacks {
    // true: connected and subscribed. Called on every change, false first only after a true.
    std::function<void(bool connected)> on_connection;
    // Valid during the call only.
    std::function<void(std::string_view topic, ByteView payload, bool retained)> on_message;
  };

  MqttClient(MqttOptions options, Callbacks callbacks);
  ~MqttClient();  // stop(1s) if needed
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  // Returns at once; connects in the background for ever. Errors: MQTT_OPTIONS.
  Status start();
  // Disconnects after what is in flight went out, at most `deadline`. No callback runs afterwards.
  void stop(Millis deadline);

  bool connected() const;
  // Why the last connect failed; empty while connected.
  std::string last_error() const;

  Status publish(std::string_view topic, ByteView payload, Qos qos, bool retain);

  // Waits until at most `in_flight` publishes wait for the broker. Several threads may wait, for
  // the same level. False:
  // they still do after `limit`, or there is no connection.
  bool await_room(uint64_t in_flight, Millis limit);

  void count_drop(MqttDrop reason);
  MqttCounters counters() const;

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace covey::mqtt
