// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/mqtt_probe.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {
namespace {

using Clock = std::chrono::steady_clock;

void append_text(std::string& packet, const std::string& text) {
  packet += static_cast<char>(text.size() >> 8);
  packet += static_cast<char>(text.size() & 0xff);
  packet += text;
}

// [MQTT-3.1] CONNECT, clean session, with user name and password.
std::string connect_packet(const std::string& username, const std::string& password) {
  std::string body;
  append_text(body, "MQTT");
  body += '\x04';                      // protocol level 3.1.1
  body += '\xc2';                      // user name, password, clean session
  body += std::string("\x00\x0a", 2);  // keep alive 10 s
  append_text(body, fmt::format("svc-probe-{}", ::getpid()));
  append_text(body, username);
  append_text(body, password);
  std::string packet = "\x10";
  size_t length = body.size();
  do {
    const size_t digit = length % 128;
    length /= 128;
    packet += static_cast<char>(digit | (length > 0 ? 0x80u : 0u));
  } while (length > 0);
  return packet + body;
}

bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<Millis>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

Status probe_mqtt(const std::string& host, uint16_t port, const std::string& username,
                  const std::string& password, Millis timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto problem = [&](const char* reason, std::string_view what) {
    return Error{Code::kUnavailable, reason,
                 fmt::format("the broker at {}:{} {}", host, port, what)};
  };
  SocketAddress address;
  if (!address.set(host, port)) return problem("BROKER_UNREACHABLE", "has a bad address");
  const Descriptor fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return problem("BROKER_UNREACHABLE", "cannot be tried: no file descriptor");
  if (::connect(fd.get(), address.data(), address.size()) != 0 && errno != EINPROGRESS) {
    return problem("BROKER_UNREACHABLE", "does not listen");
  }
  int failure = 0;
  socklen_t length = sizeof failure;
  if (!wait_for(fd.get(), POLLOUT, deadline)) return problem("BROKER_SILENT", "did not accept");
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &length) != 0 || failure != 0) {
    return problem("BROKER_UNREACHABLE", std::generic_category().message(failure));
  }
  const std::string packet = connect_packet(username, password);
  if (::send(fd.get(), packet.data(), packet.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(packet.size())) {
    return problem("BROKER_UNREACHABLE", "closed the connection");
  }
  std::array<unsigned char, 4> connack{};
  for (size_t have = 0; have < connack.size();) {
    if (!wait_for(fd.get(), POLLIN, deadline)) return problem("BROKER_SILENT", "does not answer");
    const ssize_t got = ::recv(fd.get(), connack.data() + have, connack.size() - have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return problem("BROKER_REFUSED", "closed the connection");
    have += static_cast<size_t>(got);
  }
  if (connack[0] != 0x20 || connack[1] != 2 || connack[3] != 0) {
    return problem("BROKER_REFUSED", fmt::format("refused the gateway, code {}", connack[3]));
  }
  const char disconnect[] = {'\xe0', '\x00'};
  (void)::send(fd.get(), disconnect, sizeof disconnect, MSG_NOSIGNAL);
  return {};
}

}  // namespace covey::broker
