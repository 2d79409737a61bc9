// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load_connection.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace covey::bench {
namespace {

constexpr uint8_t kPublishByte = 3;

}  // namespace

Result<TlsContext> trusting(const std::string& ca_file) {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
    return Error{Code::kInvalidArgument, "TLS", "no certificate can be read from " + ca_file};
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

LoadConnection::~LoadConnection() {
  if (socket_ >= 0) ::close(socket_);
}

bool LoadConnection::fail(std::string why) {
  why_ = std::move(why);
  return false;
}

bool LoadConnection::watch(uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_;
  return ::epoll_ctl(epoll_, EPOLL_CTL_MOD, socket_, &event) == 0 || fail(std::strerror(errno));
}

bool LoadConnection::open(int epoll, uint64_t tag, const std::string& host, uint16_t port,
                          SSL_CTX* tls) {
  if (tls != nullptr) {
    tls_.reset(SSL_new(tls));
    if (!tls_) return fail("no TLS");
    SSL_set_connect_state(tls_.get());
  }
  epoll_ = epoll;
  tag_ = tag;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return fail(std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return fail(host + " is no IPv4 address");
  }
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event) != 0) return fail(std::strerror(errno));
  if (tls_) SSL_set_fd(tls_.get(), socket_);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(socket_, generic, sizeof address) == 0 || errno == EINPROGRESS ||
         fail(std::strerror(errno));
}

bool LoadConnection::send(ByteView bytes) {
  held_ = bytes;
  return flush();
}

ssize_t LoadConnection::tls_result(int result) {
  if (result > 0) return result;
  const int error = SSL_get_error(tls_.get(), result);
  wanted_ = error == SSL_ERROR_WANT_WRITE ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  const char* reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  fail(reason != nullptr ? std::string("TLS: ") + reason : "the broker closed the connection");
  return -1;
}

ssize_t LoadConnection::write_some(ByteView bytes) {
  if (tls_) {
    return tls_result(SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())));
  }
  const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  wanted_ = EPOLLIN | EPOLLOUT;
  return errno == EAGAIN || errno == EINTR || fail(std::strerror(errno)) ? 0 : -1;
}

ssize_t LoadConnection::read_some(std::span<uint8_t> buffer) {
  if (tls_) {
    return tls_result(SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size())));
  }
  const ssize_t size = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (size > 0) return size;
  if (size == 0) fail("the broker closed the connection");
  return size < 0 && (errno == EAGAIN || errno == EINTR || fail(std::strerror(errno))) ? 0 : -1;
}

bool LoadConnection::flush() {
  while (!held_.empty()) {
    const ssize_t sent = write_some(held_);
    if (sent < 0) return false;
    if (sent == 0) return watch(wanted_);
    held_ = held_.subspan(static_cast<size_t>(sent));
  }
  return true;
}

bool LoadConnection::on_writable() { return flush() && (holds() || watch(EPOLLIN)); }

bool LoadConnection::read_once(const OnPacket& on_packet) {
  std::array<uint8_t, 16384> buffer;
  const ssize_t size = read_some(buffer);
  if (size <= 0) return size == 0;
  incoming_.insert(incoming_.end(), buffer.data(), buffer.data() + size);
  return take_packets(on_packet);
}

bool LoadConnection::read(const OnPacket& on_packet) {
  do {
    if (!read_once(on_packet)) return false;
  } while (tls_ && SSL_pending(tls_.get()) > 0);
  // A handshake may have waited for what was read.
  return !tls_ || !holds() || on_writable();
}

bool LoadConnection::take_packets(const OnPacket& on_packet) {
  size_t begin = 0;
  for (;;) {
    const ByteView rest = ByteView(incoming_).subspan(begin);
    size_t at = 1;
    size_t length = 0;
    bool whole = false;
    for (unsigned shift = 0; at < rest.size() && shift < 28; shift += 7) {
      const uint8_t byte = rest[at++];
      length |= static_cast<size_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) {
        whole = rest.size() - at >= length;
        break;
      }
    }
    if (!whole) break;
    ByteView body = rest.subspan(at, length);
    begin += at + length;
    const auto type = static_cast<uint8_t>(rest[0] >> 4U);
    std::string_view topic;
    if (type == kPublishByte) {
      const size_t named = body.size() < 2 ? 0 : static_cast<size_t>(body[0] << 8U | body[1]);
      const size_t head = 2 + named + ((rest[0] & 6U) != 0 ? 2 : 0);
      if (body.size() < head) return fail("a PUBLISH that is too short");
      topic = {reinterpret_cast<const char*>(body.data()) + 2, named};
      body = body.subspan(head);
    }
    if (!on_packet(type, topic, body)) return false;
  }
  incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(begin));
  return true;
}

}  // namespace covey::bench
