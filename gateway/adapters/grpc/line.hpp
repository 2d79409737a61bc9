// SPDX-License-Identifier: Apache-2.0
// One connection of the relay: a client's socket, a socket whose other end gRPC has, a guard.
// Bytes are read in either direction only when those before have left: what one side does not take,
// the other cannot send. Threading: on its io_context's one thread, unless said otherwise.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include "gateway/adapters/grpc/guard.hpp"
#include "gateway/adapters/grpc/peers.hpp"
#include "gateway/adapters/posix/descriptor.hpp"
#include "gateway/adapters/tls/server_contexts.hpp"

namespace covey::api {

// Whom a line tells; outlives its thread.
class LineOwner {
 public:
  virtual ~LineOwner() = default;
  virtual std::shared_ptr<Peers> peers() = 0;
  virtual void hand_over(int fd) = 0;
  virtual void no_descriptors() = 0;
  // The caller of a connection whose handshake is done; `why`: there is something that is no name.
  virtual Caller known_by(ssl_st* connection, const Caller& transport) = 0;
  // `detail`: in words, where there is more to say.
  virtual void ended(Offence offence, const Caller& caller, std::string_view detail) = 0;
  virtual void said_all() = 0;
  virtual void gone(uint64_t number) = 0;
};

class Line final : public std::enable_shared_from_this<Line> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `tls`: null for plaintext. `transport`: as the connection came in; with TLS, who it is is known
  // after the handshake.
  Line(boost::asio::io_context& io, Descriptor connection, Caller transport, tls::ContextPtr tls,
       uint64_t number, Millis handshake_timeout, LineOwner& owner);

  // Any thread.
  void start();
  void end_soon(Offence offence);
  void close_soon();
  const Caller& transport() const { return transport_; }
  bool greeted() const { return greeted_; }
  bool idle() const { return idle_; }
  Time idle_since() const { return idle_since_; }
  void leave() { leaving_ = true; }  // its place is another's already
  bool leaving() const { return leaving_; }
  bool said_all() const { return said_all_; }
  bool runs_on(const boost::asio::io_context& io) const { return &io == &io_; }

  // What stands still.
  void look();

 private:
  using Client = boost::asio::generic::stream_protocol::socket;
  using Server = boost::asio::local::stream_protocol::socket;
  static constexpr size_t kBufferBytes = 16U << 10U;

  void shake_hands();
  void read_client();
  void on_client(size_t count);
  void pass_on(Millis wait);
  bool connect_to_grpc();
  void read_server();
  void on_server(size_t count);
  void note_streams();
  bool takes_answers(Time now);
  void end(Offence offence);
  bool may_say_goodbye() const;
  void say_goodbye();
  template <typename Then>
  void write_client(boost::asio::const_buffer bytes, Then then);
  void linger();
  void close_after_linger();
  void close();

  boost::asio::io_context& io_;
  LineOwner& owner_;
  const Caller transport_;
  PeerPtr peer_;  // null: not handed over yet
  const tls::ContextPtr context_;
  const uint64_t number_;
  const Time since_;
  const Millis handshake_timeout_;
  std::atomic<bool> idle_{true};  // no call is open
  std::atomic<Time> idle_since_;
  std::atomic<bool> greeted_{false};  // it speaks HTTP/2, and TLS where it must
  std::atomic<bool> leaving_{false};
  std::atomic<bool> said_all_{false};

  Client client_;
  std::optional<boost::asio::ssl::stream<Client&>> tls_;  // on client_
  Server server_;
  std::string name_;  // of our end, as gRPC sees it; empty: not handed over yet
  boost::asio::steady_timer timer_;
  Guard guard_;
  // Ending: the client is heard no more; gRPC's frame is passed on to its end, then the last words.
  enum class State : uint8_t { kOpen, kEnding, kOver };
  State state_ = State::kOpen;
  Offence offence_ = Offence::kNone;  // that it ends for
  bool writing_ = false;              // to the client; else gRPC is being read, once it is there
  bool said_anything_ = false;
  Time writing_since_;
  // A minute of what the client takes of its answers.
  Time minute_since_;
  uint64_t minute_unread_ = 0;
  uint64_t minute_taken_ = 0;
  size_t gathered_ = 0;  // of up_, before the hand-over
  std::array<uint8_t, kBufferBytes> up_;
  std::array<uint8_t, kBufferBytes> down_;
  std::string goodbye_;
};

}  // namespace covey::api
