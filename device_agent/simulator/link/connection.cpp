// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/link/connection.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/post.hpp>
#include <chrono>

#include "core/assert.hpp"

namespace covey::simulator {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kTopicBytesMax = 160;
constexpr uint32_t kResponseTimeoutMs = 15000;

uint64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// One for the thread: a read is handed on before the next one begins.
std::array<uint8_t, 16384>& shared_buffer() {
  thread_local std::array<uint8_t, 16384> buffer;
  return buffer;
}

}  // namespace

Connection::Connection(asio::io_context& io, ConnectionListener& listener, size_t output_bytes,
                       uint64_t seed)
    : io_(io),
      listener_(listener),
      socket_(io),
      timer_(io),
      output_(output_bytes),
      topic_(kTopicBytesMax),
      random_(seed) {
  covey_mqtt_config config{};
  config.output = output_.data();
  config.output_size = output_.size();
  config.topic = topic_.data();
  config.topic_size = topic_.size();
  config.handler = [](void* self, const covey_mqtt_event* event) {
    static_cast<Connection*>(self)->on_event(*event);
  };
  config.context = this;
  config.response_timeout_ms = kResponseTimeoutMs;
  COVEY_ASSERT(covey_mqtt_init(&client_, &config) == COVEY_MQTT_OK);
}

Connection::~Connection() { drop(); }

void Connection::open(const asio::ip::tcp::endpoint& broker, ConnectionOptions options) {
  drop();
  options_ = std::move(options);
  state_ = State::kConnecting;
  refused_code_ = 0;
  dropping_ = false;
  const uint64_t epoch = *epoch_;
  timer_.expires_after(std::chrono::milliseconds(kResponseTimeoutMs));
  timer_.async_wait([this, current = epoch_, epoch](const error_code& error) {
    if (error || epoch != *current || link_open_) return;
    fail(tls_ ? "TLS handshake timed out" : "TCP connect timed out");
  });
  socket_.async_connect(broker, [this, current = epoch_, epoch](const error_code& error) {
    if (epoch == *current) on_tcp(error);
  });
}

void Connection::on_tcp(const error_code& error) {
  if (error) return fail(error.message());
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  error_code failed;
  socket_.non_blocking(true, failed);
  if (failed) return fail(failed.message());
  if (!options_.trust) return begin_session();
  tls_.emplace(options_.trust, socket_.native_handle());
  if (options_.key != nullptr && !tls_->identify(options_.certificate, options_.key)) {
    return fail(tls_->failure());
  }
  shake_hands();
}

void Connection::shake_hands() {
  const TlsStream::Outcome outcome = tls_->handshake();
  if (outcome == TlsStream::Outcome::kDone) return begin_session();
  if (outcome == TlsStream::Outcome::kClosed) return fail("closed by the broker");
  if (outcome == TlsStream::Outcome::kFailed) return fail(tls_->failure());
  socket_.async_wait(outcome == TlsStream::Outcome::kWantRead ? asio::socket_base::wait_read
                                                              : asio::socket_base::wait_write,
                     [this, current = epoch_, epoch = *epoch_](const error_code& error) {
                       if (epoch != *current) return;
                       if (error) return fail(error.message());
                       shake_hands();
                     });
}

void Connection::begin_session() {
  link_open_ = true;
  timer_.expires_at(std::chrono::steady_clock::time_point::min());
  covey_mqtt_connect_options connect{};
  connect.client_id = options_.client_id.c_str();
  if (!options_.username.empty()) {
    connect.username = options_.username.c_str();
    connect.password = reinterpret_cast<const uint8_t*>(options_.password.data());
    connect.password_size = options_.password.size();
  }
  if (!options_.will_topic.empty()) {
    connect.will_topic = options_.will_topic.c_str();
    connect.will_payload = options_.will_payload.data();
    connect.will_size = options_.will_payload.size();
  }
  connect.keep_alive_s = options_.keep_alive_s;
  const int result = covey_mqtt_connect(&client_, &connect, now_ms());
  if (result != COVEY_MQTT_OK) return fail(covey_mqtt_result_name(result));
  const uint64_t epoch = *epoch_;
  flush();
  if (epoch != *epoch_) return;
  arm_timer();
  wait_readable();
}

void Connection::wait_readable() {
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [this, current = epoch_, epoch = *epoch_](const error_code& error) {
                       if (epoch != *current) return;
                       if (error) return fail(error.message());
                       read();
                     });
}

void Connection::read() {
  std::array<uint8_t, 16384>& buffer = shared_buffer();
  const uint64_t epoch = *epoch_;
  for (;;) {
    size_t size = 0;
    if (!receive(buffer, size)) return;
    if (!feed({buffer.data(), size}) || epoch != *epoch_) return;
    if (!tls_ || size == 0) break;  // what TLS has decrypted already, the socket does not show
  }
  wait_readable();
}

bool Connection::receive(std::span<uint8_t> to, size_t& size) {
  if (!tls_) {
    error_code error;
    size = socket_.read_some(asio::buffer(to.data(), to.size()), error);
    if (!error || error == asio::error::would_block) return true;
    fail(error == asio::error::eof ? "closed by the broker" : error.message());
    return false;
  }
  switch (tls_->read(to, size)) {
    case TlsStream::Outcome::kDone:
      return true;
    case TlsStream::Outcome::kWantRead:
    case TlsStream::Outcome::kWantWrite:
      size = 0;
      return true;
    case TlsStream::Outcome::kClosed:
      fail("closed by the broker");
      return false;
    case TlsStream::Outcome::kFailed:
      fail(tls_->failure());
      return false;
  }
  return false;
}

bool Connection::send(std::span<const uint8_t> bytes, size_t& sent,
                      asio::socket_base::wait_type& later) {
  later = asio::socket_base::wait_write;
  sent = 0;
  if (!tls_) {
    error_code error;
    sent = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
    if (!error || error == asio::error::would_block) return true;
    fail(error.message());
    return false;
  }
  const TlsStream::Outcome outcome = tls_->write(bytes, sent);
  if (outcome == TlsStream::Outcome::kDone) return true;
  sent = 0;
  if (outcome == TlsStream::Outcome::kWantRead) later = asio::socket_base::wait_read;
  if (outcome == TlsStream::Outcome::kWantRead || outcome == TlsStream::Outcome::kWantWrite) {
    return true;
  }
  fail(outcome == TlsStream::Outcome::kClosed ? std::string("closed by the broker")
                                              : tls_->failure());
  return false;
}

// False when the connection has ended.
bool Connection::feed(std::span<const uint8_t> bytes) {
  const uint64_t epoch = *epoch_;
  while (!bytes.empty()) {
    size_t consumed = 0;
    feeding_ = true;
    const int result =
        covey_mqtt_receive(&client_, bytes.data(), bytes.size(), now_ms(), &consumed);
    feeding_ = false;
    if (epoch != *epoch_) return false;  // the listener dropped it
    if (result == COVEY_MQTT_REFUSED) {
      fail(fmt::format("refused by the broker with code {}", refused_code_));
      return false;
    }
    if (result != COVEY_MQTT_OK) {
      fail(covey_mqtt_result_name(result));
      return false;
    }
    flush();
    if (epoch != *epoch_) return false;
    if (consumed == 0 && writing_) {
      // An acknowledgement finds no room and the broker does not read: rather end it than hold
      // bytes back.
      fail("the broker does not read");
      return false;
    }
    bytes = bytes.subspan(consumed);
  }
  arm_timer();
  return true;
}

void Connection::on_event(const covey_mqtt_event& event) {
  switch (event.type) {
    case COVEY_MQTT_EVENT_CONNECTED:
      state_ = State::kConnected;
      listener_.on_connected();
      return;
    case COVEY_MQTT_EVENT_REFUSED:
      refused_code_ = event.code;
      return;
    case COVEY_MQTT_EVENT_MESSAGE:
      if (state_ != State::kConnected) return;  // dropped by the listener in an earlier event
      if (event.offset == 0) dropping_ = loss_ > 0 && random_.uniform() < loss_;
      if (!dropping_) {
        listener_.on_message(event.topic, {event.payload, event.size}, event.offset, event.total);
      }
      return;
    case COVEY_MQTT_EVENT_PUBLISHED:
      if (state_ == State::kConnected) listener_.on_published();
      return;
    case COVEY_MQTT_EVENT_SUBSCRIBED:
    case COVEY_MQTT_EVENT_UNSUBSCRIBED:
    case COVEY_MQTT_EVENT_SKIPPED:
      return;
  }
}

void Connection::flush() {
  if (feeding_ || writing_) return;
  size_t size = 0;
  const uint8_t* bytes = covey_mqtt_output(&client_, &size);
  while (size > 0) {
    size_t sent = 0;
    asio::socket_base::wait_type later{};
    if (!send({bytes, size}, sent, later)) return;
    if (sent == 0) {
      writing_ = true;
      socket_.async_wait(later,
                         [this, current = epoch_, epoch = *epoch_](const error_code& failed) {
                           if (epoch != *current) return;
                           writing_ = false;
                           if (failed) return fail(failed.message());
                           flush();
                         });
      return;
    }
    covey_mqtt_sent(&client_, sent);
    bytes = covey_mqtt_output(&client_, &size);
  }
}

void Connection::arm_timer() {
  uint32_t wait_ms = 0;
  const uint64_t epoch = *epoch_;
  if (covey_mqtt_tick(&client_, now_ms(), &wait_ms) != COVEY_MQTT_OK) {
    return fail("the broker does not answer");
  }
  flush();
  if (epoch != *epoch_ || wait_ms == UINT32_MAX) return;
  // Activity only moves the deadline back: an armed timer that comes early looks again.
  const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  if (timer_.expiry() <= due && timer_.expiry() > std::chrono::steady_clock::now()) return;
  timer_.expires_at(due);
  timer_.async_wait([this, current = epoch_, epoch](const error_code& error) {
    if (!error && epoch == *current) arm_timer();
  });
}

void Connection::close_socket() {
  ++*epoch_;
  state_ = State::kClosed;
  link_open_ = false;
  tls_.reset();
  writing_ = false;
  timer_.expires_at(std::chrono::steady_clock::time_point::min());
  error_code ignored;
  socket_.close(ignored);
}

void Connection::drop() { close_socket(); }

// The listener hears of it later, not inside a call that it made.
void Connection::fail(std::string_view reason) {
  std::string kept(reason);
  close_socket();
  asio::post(io_, [this, current = epoch_, epoch = *epoch_, kept = std::move(kept)] {
    if (epoch == *current) listener_.on_closed(kept);
  });
}

int Connection::finish(int result) {
  if (result == COVEY_MQTT_OK) flush();
  return result;
}

int Connection::publish(const char* topic, std::span<const uint8_t> payload, uint8_t qos,
                        bool retain) {
  if (state_ != State::kConnected) return COVEY_MQTT_STATE;
  if (qos == 0 && loss_ > 0 && random_.uniform() < loss_) return COVEY_MQTT_OK;
  return finish(covey_mqtt_publish(&client_, topic, payload.data(), payload.size(), qos, retain,
                                   now_ms(), nullptr));
}

int Connection::subscribe(const char* filter, uint8_t qos) {
  if (state_ != State::kConnected) return COVEY_MQTT_STATE;
  return finish(covey_mqtt_subscribe(&client_, &filter, 1, qos, now_ms(), nullptr));
}

int Connection::unsubscribe(const char* filter) {
  if (state_ != State::kConnected) return COVEY_MQTT_STATE;
  return finish(covey_mqtt_unsubscribe(&client_, &filter, 1, now_ms(), nullptr));
}

}  // namespace covey::simulator
