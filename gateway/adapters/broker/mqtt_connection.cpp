// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/mqtt_connection.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace covey::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPacketBytesMax = 2 << 20;

}  // namespace

void append_text(std::string& to, std::string_view text) {
  to += static_cast<char>(text.size() >> 8U);
  to += static_cast<char>(text.size() & 0xffU);
  to += text;
}

Error MqttConnection::problem(const char* reason, std::string_view what) const {
  return {Code::kUnavailable, reason, fmt::format("the broker at {} {}", name_, what)};
}

bool MqttConnection::wait_for(short events) const {
  for (;;) {
    const auto left = std::chrono::duration_cast<Millis>(deadline_ - Clock::now());
    if (left.count() <= 0) return false;
    pollfd entry{fd_.get(), events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Result<MqttConnection> MqttConnection::open(const MqttAccess& access, const std::string& client_id,
                                            Millis timeout) {
  SocketAddress address;
  MqttConnection made(access, Descriptor(), Clock::now() + timeout);
  if (!address.set(access.host, access.port)) {
    return made.problem("BROKER_UNREACHABLE", "has a bad address");
  }
  made.fd_ = Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made.fd_.get() < 0) {
    return made.problem("BROKER_UNREACHABLE", "cannot be tried: no file descriptor");
  }
  if (::connect(made.fd_.get(), address.data(), address.size()) != 0 && errno != EINPROGRESS) {
    return made.problem("BROKER_UNREACHABLE", "does not listen");
  }
  int failure = 0;
  socklen_t length = sizeof failure;
  if (!made.wait_for(POLLOUT)) return made.problem("BROKER_SILENT", "did not accept");
  if (::getsockopt(made.fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &length) != 0 || failure != 0) {
    return made.problem("BROKER_UNREACHABLE", std::generic_category().message(failure));
  }
  // [MQTT-3.1] CONNECT, clean session, with user name and password, keep alive 10 s.
  std::string body;
  append_text(body, "MQTT");
  body += std::string("\x04\xc2\x00\x0a", 4);
  append_text(body, client_id);
  append_text(body, access.username);
  append_text(body, access.password);
  if (const Status sent = made.send(0x10, body); !sent) return sent.error();
  const Result<MqttPacket> connack = made.receive();
  if (!connack) return connack.error();
  if (connack->first != 0x20 || connack->body.size() != 2 || connack->body[1] != 0) {
    const int code = connack->body.size() == 2 ? connack->body[1] : -1;
    return made.problem("BROKER_REFUSED", fmt::format("refused the gateway, code {}", code));
  }
  return made;
}

Status MqttConnection::send(uint8_t first, std::string_view body) {
  std::string packet(1, static_cast<char>(first));
  size_t length = body.size();
  do {
    const size_t digit = length % 128;
    length /= 128;
    packet += static_cast<char>(digit | (length > 0 ? 0x80U : 0U));
  } while (length > 0);
  packet += body;
  for (size_t done = 0; done < packet.size();) {
    if (!wait_for(POLLOUT)) return problem("BROKER_SILENT", "takes nothing");
    const ssize_t sent =
        ::send(fd_.get(), packet.data() + done, packet.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent <= 0) return problem("BROKER_UNREACHABLE", "closed the connection");
    done += static_cast<size_t>(sent);
  }
  return {};
}

Status MqttConnection::take(char* to, size_t size) {
  for (size_t have = 0; have < size;) {
    if (!wait_for(POLLIN)) return problem("BROKER_SILENT", "does not answer");
    const ssize_t got = ::recv(fd_.get(), to + have, size - have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return problem("BROKER_REFUSED", "closed the connection");
    have += static_cast<size_t>(got);
  }
  return {};
}

Result<MqttPacket> MqttConnection::receive() {
  MqttPacket packet;
  char byte = 0;
  if (const Status taken = take(&byte, 1); !taken) return taken.error();
  packet.first = static_cast<uint8_t>(byte);
  size_t length = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (const Status taken = take(&byte, 1); !taken) return taken.error();
    length |= static_cast<size_t>(static_cast<uint8_t>(byte) & 0x7fU) << shift;
    if ((static_cast<uint8_t>(byte) & 0x80U) == 0) break;
    if (shift == 21) return problem("BROKER_REFUSED", "sends no MQTT");
  }
  if (length > kPacketBytesMax) return problem("BROKER_REFUSED", "sends too much at once");
  packet.body.resize(length);
  if (const Status taken = take(packet.body.data(), length); !taken) return taken.error();
  return packet;
}

void MqttConnection::disconnect() { (void)send(0xe0, {}); }

}  // namespace covey::broker
