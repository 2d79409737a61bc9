// SPDX-License-Identifier: Apache-2.0
// One device's MQTT session over TCP, or TLS over that: an Asio socket around the bare-metal client
// (covey/mqtt.h).
//
// No buffer of its own beyond the client's: bytes are read into a buffer that all connections of
// the thread share and sent straight from the client's output. Faults are made here, where a radio
// would make them: whole messages vanish in both directions.
//
// Owner thread: the io_context's only one. Errors end the connection: on_closed() says why, once
// per open(), from the event loop. The listener may call anything here except open().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "covey/mqtt.h"
#include "device_agent/simulator/link/tls_stream.hpp"
#include "device_agent/simulator/random.hpp"

namespace covey::simulator {

struct ConnectionOptions {
  std::string client_id;
  std::string username;
  std::string password;
  std::string will_topic;  // empty: none
  std::vector<uint8_t> will_payload;
  uint16_t keep_alive_s = 60;
  std::shared_ptr<const TlsTrust> trust;  // null: plaintext
  std::vector<uint8_t> certificate;       // of the client, in DER; empty: it has none
  evp_pkey_st* key = nullptr;             // of that; outlives the connection
};

class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  virtual void on_connected() = 0;
  // Pieces of one message come in order; offset + piece.size() == total is the last.
  virtual void on_message(const char* topic, std::span<const uint8_t> piece, size_t offset,
                          size_t total) = 0;
  // PUBACK for a message with QoS 1, in order.
  virtual void on_published() = 0;
  virtual void on_closed(std::string_view reason) = 0;
};

class Connection {
 public:
  // `output_bytes`: the largest packet that will be published.
  Connection(boost::asio::io_context& io, ConnectionListener& listener, size_t output_bytes,
             uint64_t seed);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void open(const boost::asio::ip::tcp::endpoint& broker, ConnectionOptions options);
  // Ends it without DISCONNECT, as a lost link does: the broker sends the last will. Silent: no
  // on_closed().
  void drop();
  bool is_open() const { return state_ != State::kClosed; }
  bool connected() const { return state_ == State::kConnected; }

  // A covey_mqtt_result. A lost message is OK, as on a radio.
  int publish(const char* topic, std::span<const uint8_t> payload, uint8_t qos, bool retain);
  int subscribe(const char* filter, uint8_t qos);
  int unsubscribe(const char* filter);

  void set_loss(double probability) { loss_ = probability; }

 private:
  enum class State { kClosed, kConnecting, kConnected };

  void on_event(const covey_mqtt_event& event);
  void on_tcp(const boost::system::error_code& error);
  void shake_hands();
  void begin_session();
  void wait_readable();
  void read();
  // False: failed, and told. `size` 0: when the socket is readable again.
  bool receive(std::span<uint8_t> to, size_t& size);
  // False: failed, and told. `sent` 0: when the socket is ready for `later`.
  bool send(std::span<const uint8_t> bytes, size_t& sent,
            boost::asio::socket_base::wait_type& later);
  bool feed(std::span<const uint8_t> bytes);
  void flush();
  void arm_timer();
  void fail(std::string_view reason);
  void close_socket();
  int finish(int result);

  boost::asio::io_context& io_;
  ConnectionListener& listener_;
  boost::asio::ip::tcp::socket socket_;
  std::optional<TlsStream> tls_;  // over socket_
  boost::asio::steady_timer timer_;
  covey_mqtt client_{};
  ConnectionOptions options_;
  std::vector<uint8_t> output_;
  std::vector<char> topic_;
  Random random_;
  double loss_ = 0;
  // Counts what ended; completions of an older epoch are ignored. Shared with them, because they
  // may run after this object is gone.
  std::shared_ptr<uint64_t> epoch_ = std::make_shared<uint64_t>(0);
  State state_ = State::kClosed;
  bool link_open_ = false;  // TCP, and TLS where it is spoken
  bool writing_ = false;    // waiting for room in the socket
  bool feeding_ = false;    // inside the client: its calls flush when it returns
  bool dropping_ = false;   // the message that is being received is lost
  uint8_t refused_code_ = 0;
};

}  // namespace covey::simulator
