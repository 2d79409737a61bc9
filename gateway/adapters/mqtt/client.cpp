// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/mqtt/client.hpp"

#include <fmt/format.h>
#include <mqtt/async_client.h>
#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

#include "core/backoff.hpp"

namespace covey::mqtt {
namespace {

namespace paho = ::mqtt;

std::atomic<void (*)(const char*)> paho_said{nullptr};

void on_trace(MQTTASYNC_TRACE_LEVELS, char* text) {
  if (const auto said = paho_said.load()) said(text);
}
using Clock = std::chrono::steady_clock;

constexpr int kVersion311 = 4;
constexpr int kInflightOfPaho = 1000;  // QoS 1 publishes without PUBACK
constexpr int kRefused = 0x80;         // [MQTT-3.9.3] SUBACK

uint64_t random_number() {
  uint64_t number = 0;
  COVEY_ASSERT(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1);
  return number;
}

MqttOptions completed(MqttOptions options) {
  if (options.client_id.empty()) {
    options.client_id = fmt::format("svc-gateway-{:016x}", random_number());
  }
  return options;
}

std::string uri(const MqttOptions& options) {
  const bool v6 = options.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + options.host + "]" : options.host;
  return fmt::format("{}://{}:{}", options.ca_file.empty() ? "tcp" : "ssl", host, options.port);
}

// Its name or address must be in its certificate.
paho::ssl_options tls_of(const MqttOptions& options) {
  paho::ssl_options tls;
  tls.set_trust_store(options.ca_file);
  tls.set_enable_server_cert_auth(true);
  tls.set_verify(true);
  if (!options.certificate_file.empty()) {
    tls.set_key_store(options.certificate_file);
    tls.set_private_key(options.key_file);
  }
  return tls;
}

}  // namespace

std::string_view to_string(MqttDrop reason) {
  switch (reason) {
    case MqttDrop::kOutNotConnected:
      return "OUT_NOT_CONNECTED";
    case MqttDrop::kOutInFlightFull:
      return "OUT_IN_FLIGHT_FULL";
    case MqttDrop::kOutTooLarge:
      return "OUT_TOO_LARGE";
    case MqttDrop::kOutFailed:
      return "OUT_FAILED";
    case MqttDrop::kInTooLarge:
      return "IN_TOO_LARGE";
    case MqttDrop::kInBadTopic:
      return "IN_BAD_TOPIC";
    case MqttDrop::kInRetained:
      return "IN_RETAINED";
    case MqttDrop::kInEmpty:
      return "IN_EMPTY";
    case MqttDrop::kInQueueFull:
      return "IN_QUEUE_FULL";
    case MqttDrop::kInOverShare:
      return "IN_OVER_SHARE";
    case MqttDrop::kCount:
      break;
  }
  return "";
}

class MqttClient::Session : private paho::iaction_listener {
 public:
  Session(MqttOptions options, Callbacks callbacks)
      : options_(completed(std::move(options))), callbacks_(std::move(callbacks)) {}
  ~Session() override { stop(1s); }

  Status start();
  void stop(Millis deadline);
  Status publish(std::string_view topic, ByteView payload, Qos qos, bool retain);
  bool connected() const { return connected_.load(); }
  std::string last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_;
  }
  bool await_room(uint64_t in_flight, Millis limit);
  void count_drop(MqttDrop reason) {
    drops_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  MqttCounters counters() const;

 private:
  void run();
  bool connect_once();
  void on_message(const paho::const_message_ptr& message);
  void drain_and_disconnect();
  void finished(const paho::token& token);

  // Of one publish, on a Paho thread. What an earlier connection left over counts no more.
  void on_success(const paho::token& token) override { finished(token); }
  void on_failure(const paho::token& token) override {
    count_drop(MqttDrop::kOutFailed);
    finished(token);
  }

  const MqttOptions options_;
  const Callbacks callbacks_;
  std::thread thread_;

  std::atomic<bool> connected_{false};
  std::atomic<uint64_t> connection_{0};  // number of the current one
  std::atomic<uint64_t> in_flight_{0};
  std::atomic<uint64_t> room_from_{0};  // what await_room() waits for
  std::atomic<uint64_t> received_{0};
  std::atomic<uint64_t> received_bytes_{0};
  std::atomic<uint64_t> published_{0};
  std::atomic<uint64_t> published_bytes_{0};
  std::atomic<uint64_t> connects_{0};
  std::atomic<uint64_t> disconnects_{0};
  std::atomic<uint64_t> connect_failures_{0};
  std::array<std::atomic<uint64_t>, static_cast<size_t>(MqttDrop::kCount)> drops_{};

  // Callbacks hold it shared; stop() takes it alone once, so that none runs afterwards.
  std::shared_mutex gate_;
  bool closed_ = false;  // guarded by gate_

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool lost_ = false;
  bool stopping_ = false;
  Clock::time_point stop_by_{};
  std::string last_error_;

  // Made in start() and never replaced. Last, so that it goes first: its threads use all the above.
  std::optional<paho::async_client> client_;
};

Status MqttClient::Session::start() {
  if (thread_.joinable()) return precondition("MQTT_OPTIONS", "the client was started already");
  if (options_.port == 0 || options_.subscriptions.empty() || options_.in_flight_max == 0) {
    return invalid("MQTT_OPTIONS", "a port, a subscription and room in flight are needed");
  }
  // Paho notes each call of each function in a trace in memory unless it is told not to: a third of
  // what a message costs here. For the whole process, and what it notes of errors stays.
  MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
  try {
    // Paho's own limit holds while connected too (MQTTAsync.h: "It also applies when the client is
    // connected"), and its default of 100 would refuse long before in_flight_max does.
    client_.emplace(uri(options_), options_.client_id,
                    paho::create_options_builder()
                        .mqtt_version(kVersion311)
                        .max_buffered_messages(static_cast<int>(options_.in_flight_max) + 1)
                        .finalize());
    client_->set_connection_lost_handler([this](const std::string&) {
      connected_.store(false);
      const std::lock_guard lock(mutex_);
      lost_ = true;
      changed_.notify_all();
    });
    client_->set_message_callback(
        [this](const paho::const_message_ptr& message) { on_message(message); });
  } catch (const std::exception& problem) {
    client_.reset();
    return invalid("MQTT_OPTIONS",
                   fmt::format("no MQTT client for {}: {}", uri(options_), problem.what()));
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

void MqttClient::Session::run() {
  Backoff backoff(options_.backoff_min, options_.backoff_max);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lost_ = false;
    lock.unlock();
    const bool up = connect_once();
    lock.lock();
    if (up) {
      backoff.reset();
      last_error_.clear();
      if (!lost_) {
        lock.unlock();
        connected_.store(true);
        connects_.fetch_add(1);
        if (callbacks_.on_connection) callbacks_.on_connection(true);
        lock.lock();
        changed_.wait(lock, [this] { return lost_ || stopping_; });
        if (stopping_) break;
        connected_.store(false);
        disconnects_.fetch_add(1);
        last_error_ = "the broker closed the connection";
        lock.unlock();
        if (callbacks_.on_connection) callbacks_.on_connection(false);
        lock.lock();
      }
    } else {
      connect_failures_.fetch_add(1);
    }
    // Between half and all of it: a fleet of gateways would otherwise come back in step.
    const auto half = static_cast<uint64_t>(backoff.next().count()) / 2;
    const Millis pause{static_cast<int64_t>(half + random_number() % (half + 1))};
    changed_.wait_for(lock, pause, [this] { return stopping_; });
  }
  const bool was_up = connected_.exchange(false);
  lock.unlock();
  if (was_up) drain_and_disconnect();
  if (was_up && callbacks_.on_connection) callbacks_.on_connection(false);
}

// Connects and subscribes. Paho resumes nothing: sessions are clean and a broker that was killed
// has forgotten them anyway.
bool MqttClient::Session::connect_once() {
  const auto fail = [this](std::string text) {
    const std::lock_guard lock(mutex_);
    last_error_ = std::move(text);
    return false;
  };
  try {
    connection_.fetch_add(1);
    in_flight_.store(0);
    auto options = paho::connect_options_builder()
                       .mqtt_version(kVersion311)
                       .clean_session(true)
                       .automatic_reconnect(false)
                       .keep_alive_interval(
                           std::chrono::duration_cast<std::chrono::seconds>(options_.keep_alive))
                       .connect_timeout(std::chrono::duration_cast<std::chrono::seconds>(
                           options_.connect_timeout))
                       .max_inflight(kInflightOfPaho)
                       .user_name(options_.username)
                       .password(options_.password)
                       .finalize();
    if (!options_.ca_file.empty()) options.set_ssl(tls_of(options_));
    // Paho gives up by itself after connect_timeout; the second here is for a Paho that does not.
    if (!client_->connect(options)->wait_for(options_.connect_timeout + 1s)) {
      client_->disconnect(0)->wait_for(1s);
      return fail("the broker does not answer");
    }
    const auto filters = paho::string_collection::create(options_.subscriptions);
    const auto granted =
        client_->subscribe(filters, std::vector<int>(options_.subscriptions.size(), 1));
    if (!granted->wait_for(options_.connect_timeout)) {
      client_->disconnect(0)->wait_for(1s);
      return fail("the broker does not answer a SUBSCRIBE");
    }
    const paho::subscribe_response response = granted->get_subscribe_response();
    for (const auto code : response.get_reason_codes()) {
      if (static_cast<int>(code) >= kRefused) {
        client_->disconnect(0)->wait_for(1s);
        return fail("the broker refused a subscription");
      }
    }
    return true;
  } catch (const std::exception& problem) {
    try {
      if (client_->is_connected()) client_->disconnect(0)->wait_for(1s);
    } catch (const std::exception&) {  // gone already
    }
    const char* hint = options_.ca_file.empty()
                           ? ""
                           : " (TLS: mqtt.external.ca_file must vouch for the broker, and its "
                             "certificate have this name)";
    return fail(fmt::format("{}: {}{}", uri(options_), problem.what(), hint));
  }
}

void MqttClient::Session::on_message(const paho::const_message_ptr& message) {
  const std::shared_lock pass(gate_);
  if (closed_ || !message) return;
  const auto& payload = message->get_payload_ref();
  const std::string& topic = message->get_topic();
  if (payload.size() > options_.payload_bytes_max) {
    count_drop(MqttDrop::kInTooLarge);
    return;
  }
  received_.fetch_add(1, std::memory_order_relaxed);
  received_bytes_.fetch_add(payload.size(), std::memory_order_relaxed);
  if (callbacks_.on_message) {
    callbacks_.on_message(
        topic, ByteView(reinterpret_cast<const uint8_t*>(payload.data()), payload.size()),
        message->is_retained());
  }
}

Status MqttClient::Session::publish(std::string_view topic, ByteView payload, Qos qos,
                                    bool retain) {
  if (payload.size() > options_.payload_bytes_max) {
    count_drop(MqttDrop::kOutTooLarge);
    return invalid("MESSAGE_TOO_LARGE", fmt::format("{} bytes for {}; at most {}", payload.size(),
                                                    topic, options_.payload_bytes_max));
  }
  const auto not_connected = [this] {
    count_drop(MqttDrop::kOutNotConnected);
    return Error{Code::kUnavailable, "NOT_CONNECTED", "no connection to the broker"};
  };
  if (!connected()) return not_connected();
  if (in_flight_.fetch_add(1) >= options_.in_flight_max) {
    in_flight_.fetch_sub(1);
    count_drop(MqttDrop::kOutInFlightFull);
    return Error{Code::kResourceExhausted, "IN_FLIGHT_FULL",
                 fmt::format("{} messages wait for the broker", options_.in_flight_max)};
  }
  try {
    // The connection's number travels as the context, never dereferenced.
    void* const context = reinterpret_cast<void*>(static_cast<uintptr_t>(connection_.load()));
    client_->publish(std::string(topic), payload.data(), payload.size(), static_cast<int>(qos),
                     retain, context, *this);
  } catch (const paho::exception& problem) {
    in_flight_.fetch_sub(1);
    if (problem.get_return_code() == MQTTASYNC_DISCONNECTED) return not_connected();
    count_drop(MqttDrop::kOutFailed);
    return Error{Code::kUnavailable, "MQTT_PUBLISH", problem.what()};
  } catch (const std::exception& problem) {
    in_flight_.fetch_sub(1);
    count_drop(MqttDrop::kOutFailed);
    return Error{Code::kUnavailable, "MQTT_PUBLISH", problem.what()};
  }
  published_.fetch_add(1, std::memory_order_relaxed);
  published_bytes_.fetch_add(payload.size(), std::memory_order_relaxed);
  return {};
}

bool MqttClient::Session::await_room(uint64_t in_flight, Millis limit) {
  if (in_flight_.load() <= in_flight) return connected();
  std::unique_lock lock(mutex_);
  room_from_ = in_flight;
  changed_.wait_for(lock, limit, [this, in_flight] {
    return in_flight_.load() <= in_flight || lost_ || stopping_;
  });
  return in_flight_.load() <= in_flight && connected();
}

void MqttClient::Session::finished(const paho::token& token) {
  const auto context = reinterpret_cast<uintptr_t>(token.get_user_context());
  if (context != static_cast<uintptr_t>(connection_.load())) return;
  // Not below zero, should a reset have come between.
  uint64_t count = in_flight_.load();
  while (count > 0 && !in_flight_.compare_exchange_weak(count, count - 1)) {
  }
  if (count == 1 || count == room_from_.load() + 1) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
}

void MqttClient::Session::drain_and_disconnect() {
  Millis left{0};
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop_by_, [this] { return in_flight_.load() == 0 || lost_; });
    left = std::max(Millis{100}, std::chrono::duration_cast<Millis>(stop_by_ - Clock::now()));
  }
  try {
    client_->disconnect(static_cast<int>(left.count()))->wait_for(left);
  } catch (const std::exception&) {  // lost meanwhile: as good as disconnected
  }
}

void MqttClient::Session::stop(Millis deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) stop_by_ = Clock::now() + deadline;
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  {
    const std::unique_lock alone(gate_);
    closed_ = true;
  }
}

MqttCounters MqttClient::Session::counters() const {
  MqttCounters counters;
  counters.received = received_.load();
  counters.received_bytes = received_bytes_.load();
  counters.published = published_.load();
  counters.published_bytes = published_bytes_.load();
  counters.connects = connects_.load();
  counters.disconnects = disconnects_.load();
  counters.connect_failures = connect_failures_.load();
  counters.in_flight = in_flight_.load();
  for (size_t i = 0; i < drops_.size(); ++i) counters.drops[i] = drops_[i].load();
  return counters;
}

void log_paho_to(void (*said)(const char* text)) {
  paho_said = said;
  MQTTAsync_setTraceCallback(on_trace);
}

MqttClient::MqttClient(MqttOptions options, Callbacks callbacks)
    : session_(std::make_unique<Session>(std::move(options), std::move(callbacks))) {}
MqttClient::~MqttClient() = default;

Status MqttClient::start() { return session_->start(); }
void MqttClient::stop(Millis deadline) { session_->stop(deadline); }
bool MqttClient::connected() const { return session_->connected(); }
std::string MqttClient::last_error() const { return session_->last_error(); }
Status MqttClient::publish(std::string_view topic, ByteView payload, Qos qos, bool retain) {
  return session_->publish(topic, payload, qos, retain);
}
bool MqttClient::await_room(uint64_t in_flight, Millis limit) {
  return session_->await_room(in_flight, limit);
}
void MqttClient::count_drop(MqttDrop reason) { session_->count_drop(reason); }
MqttCounters MqttClient::counters() const { return session_->counters(); }

}  // namespace covey::mqtt
