// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/line.hpp"

#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>

#include "core/digest.hpp"
#include "gateway/api/limits.hpp"

namespace covey::api {
namespace {

using boost::system::error_code;

constexpr Millis kLinger{1'000};  // for the client to read the last words
constexpr uint32_t kNoError = 0;
constexpr uint32_t kEnhanceYourCalm = 11;

// A name in the abstract namespace that nobody can guess or take before us; empty: failed.
std::string bind_name(int fd) {
  Bytes random(16);
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return "";
  const std::string name = "covey-" + to_hex(random);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 ? name : "";
}

void append(std::string& to, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xFFU);
}

// RFC 9113, section 4.1: a head of stream 0 without flags.
void append_head(std::string& to, FrameType type, size_t size) {
  append(to, static_cast<uint32_t>(size) << 8U | static_cast<uint8_t>(type));
  to += '\0';
  append(to, 0);
}

// RFC 9113, section 6.8.
std::string go_away(uint32_t last_stream, uint32_t error, std::string_view why) {
  std::string frame;
  append_head(frame, FrameType::kGoAway, 8 + why.size());
  append(frame, last_stream);
  append(frame, error);
  frame += why;
  return frame;
}

}  // namespace

Line::Line(boost::asio::io_context& io, Descriptor connection, Caller transport,
           tls::ContextPtr tls, uint64_t number, Millis handshake_timeout, LineOwner& owner)
    : io_(io),
      owner_(owner),
      transport_(std::move(transport)),
      context_(std::move(tls)),
      number_(number),
      since_(std::chrono::steady_clock::now()),
      handshake_timeout_(handshake_timeout),
      idle_since_(since_),
      client_(io),
      server_(io),
      timer_(io),
      guard_(since_),
      minute_since_(since_) {
  const bool local = transport_.via == Via::kUnixSocket;
  error_code failed;
  client_.assign(boost::asio::generic::stream_protocol(local ? AF_UNIX : AF_INET, 0),
                 connection.release(), failed);
}

void Line::start() {
  boost::asio::post(io_, [self = shared_from_this()] {
    if (self->context_) return self->shake_hands();
    self->peer_ = std::make_shared<Peer>(self->transport_);
    self->read_client();
  });
}

// Its time is that of the preface: look() ends what takes longer.
void Line::shake_hands() {
  SSL* connection = SSL_new(context_.get());
  if (connection == nullptr) return close();
  tls_.emplace(client_, connection);  // which frees it
  tls_->async_handshake(
      boost::asio::ssl::stream_base::server, [self = shared_from_this()](const error_code& failed) {
        if (self->state_ != State::kOpen) return;
        SSL* done = self->tls_->native_handle();
        if (failed) {
          if (failed.category() == boost::asio::error::get_ssl_category()) {
            const auto number = static_cast<unsigned long>(failed.value());
            self->owner_.ended(Offence::kHandshake, self->transport_,
                               tls::handshake_error(done, number));
          }
          return self->close();
        }
        const unsigned char* protocol = nullptr;
        unsigned int size = 0;
        SSL_get0_alpn_selected(done, &protocol, &size);
        if (size == 0) return self->end(Offence::kNotHttp2);  // RFC 9113, section 3.3
        self->peer_ = std::make_shared<Peer>(self->owner_.known_by(done, self->transport_));
        self->read_client();
      });
}

// async_write to whatever the client speaks.
template <typename Then>
void Line::write_client(boost::asio::const_buffer bytes, Then then) {
  if (tls_) {
    boost::asio::async_write(*tls_, bytes, std::move(then));
  } else {
    boost::asio::async_write(client_, bytes, std::move(then));
  }
}

void Line::end_soon(Offence offence) {
  boost::asio::post(io_, [self = shared_from_this(), offence] { self->end(offence); });
}

void Line::close_soon() {
  boost::asio::post(io_, [self = shared_from_this()] { self->close(); });
}

void Line::look() {
  const Time now = std::chrono::steady_clock::now();
  if (name_.empty() && now - since_ > handshake_timeout_) return end(Offence::kSilent);
  if (writing_ && now - writing_since_ > kReaderSilenceMax) return end(Offence::kStalledReader);
  if (!takes_answers(now)) return end(Offence::kStalledReader);
  if (const Offence offence = guard_.look(now); offence != Offence::kNone) end(offence);
}

// Within a minute at least what was there at its beginning.
bool Line::takes_answers(Time now) {
  if (now - minute_since_ < kAnswerTakenWithin) return true;
  if (!peer_) return true;
  const uint64_t taken = peer_->taken_bytes - minute_taken_;
  const bool enough = taken >= minute_unread_;
  minute_since_ = now;
  minute_unread_ = peer_->unread_bytes;
  minute_taken_ = peer_->taken_bytes;
  return enough;
}

void Line::read_client() {
  if (state_ != State::kOpen) return;
  const auto room = boost::asio::buffer(up_.data() + gathered_, up_.size() - gathered_);
  auto read = [self = shared_from_this()](const error_code& failed, size_t count) {
    if (self->state_ != State::kOpen) return;
    if (failed) return self->close();
    self->on_client(count);
  };
  if (tls_) {
    tls_->async_read_some(room, std::move(read));
  } else {
    client_.async_read_some(room, std::move(read));
  }
}

void Line::on_client(size_t count) {
  const Guard::Verdict verdict =
      guard_.from_client({up_.data() + gathered_, count}, std::chrono::steady_clock::now());
  gathered_ += count;
  if (verdict.offence != Offence::kNone) return end(verdict.offence);
  note_streams();
  if (!guard_.greeted()) return read_client();
  greeted_ = true;
  if (name_.empty() && !connect_to_grpc()) return close();
  pass_on(verdict.wait);
}

void Line::pass_on(Millis wait) {
  boost::asio::async_write(server_, boost::asio::buffer(up_.data(), std::exchange(gathered_, 0)),
                           [self = shared_from_this(), wait](const error_code& failed, size_t) {
                             if (failed || self->state_ != State::kOpen)
                               return;  // gRPC has closed: its last words are on their way
                             if (wait.count() == 0) return self->read_client();
                             self->timer_.expires_after(wait);
                             self->timer_.async_wait([self](const error_code& aborted) {
                               if (!aborted) self->read_client();
                             });
                           });
}

bool Line::connect_to_grpc() {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    owner_.no_descriptors();
    return false;
  }
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  name_ = bind_name(ours.get());
  if (name_.empty()) return false;
  error_code failed;
  server_.assign(boost::asio::local::stream_protocol(), ours.release(), failed);
  if (failed) return false;
  owner_.peers()->add(name_, peer_);
  owner_.hand_over(theirs.release());
  read_server();
  return true;
}

void Line::read_server() {
  if (state_ == State::kOver) return;
  server_.async_read_some(boost::asio::buffer(down_),
                          [self = shared_from_this()](const error_code& failed, size_t count) {
                            if (self->state_ == State::kOver) return;
                            if (failed) return self->linger();
                            self->on_server(count);
                          });
}

void Line::on_server(size_t count) {
  const Time now = std::chrono::steady_clock::now();
  const Guard::Verdict verdict = guard_.from_server({down_.data(), count}, now);
  note_streams();
  writing_ = true;
  writing_since_ = now;
  write_client(
      boost::asio::buffer(down_.data(), count),
      [self = shared_from_this(), offence = verdict.offence](const error_code& failed, size_t) {
        self->writing_ = false;
        self->said_anything_ = true;
        if (self->state_ == State::kOver) return;
        if (failed) return self->close();
        if (offence != Offence::kNone) self->end(offence);
        if (self->state_ == State::kEnding && self->may_say_goodbye()) return self->say_goodbye();
        self->read_server();
      });
}

void Line::note_streams() {
  const bool idle = guard_.open_streams() == 0;
  if (idle != idle_ || !idle) idle_since_ = std::chrono::steady_clock::now();
  idle_ = idle;
}

void Line::end(Offence offence) {
  if (state_ != State::kOpen) return;
  state_ = State::kEnding;
  offence_ = offence;
  owner_.ended(offence, peer_ ? peer_->caller : transport_, "");
  if (!guard_.greeted()) return close();  // whoever it is, it does not speak HTTP/2
  if (may_say_goodbye()) return say_goodbye();
  close_after_linger();
}

// Where gRPC's words end with a whole frame.
bool Line::may_say_goodbye() const { return !writing_ && guard_.between_server_frames(); }

void Line::say_goodbye() {
  // RFC 9113, section 3.4: a server's first frame is SETTINGS.
  if (!said_anything_) append_head(goodbye_, FrameType::kSettings, 0);
  const bool evicted = offence_ == Offence::kEvicted;
  goodbye_ +=
      go_away(guard_.last_stream(), evicted ? kNoError : kEnhanceYourCalm, to_string(offence_));
  error_code ignored;
  client_.cancel(ignored);
  state_ = State::kOver;
  server_.close(ignored);
  // Who does not read it has as long as it may linger.
  close_after_linger();
  write_client(boost::asio::buffer(goodbye_),
               [self = shared_from_this()](const error_code&, size_t) { self->linger(); });
}

void Line::linger() {
  state_ = State::kOver;
  error_code ignored;
  server_.close(ignored);
  client_.shutdown(Client::shutdown_send, ignored);
  said_all_ = true;
  owner_.said_all();
  close_after_linger();
}

void Line::close_after_linger() {
  timer_.expires_after(kLinger);
  timer_.async_wait([self = shared_from_this()](const error_code& aborted) {
    if (!aborted) self->close();
  });
}

void Line::close() {
  state_ = State::kOver;
  error_code ignored;
  client_.close(ignored);
  server_.close(ignored);
  timer_.cancel();
  said_all_ = true;
  if (!name_.empty()) owner_.peers()->remove(name_);
  owner_.gone(number_);
}

}  // namespace covey::api
