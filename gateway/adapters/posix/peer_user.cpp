// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/posix/peer_user.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "gateway/adapters/posix/descriptor.hpp"

namespace covey {
namespace {

struct Ends {
  sockaddr_storage ours{};
  sockaddr_storage theirs{};
};

std::optional<Ends> ends_of(int fd) {
  Ends ends;
  socklen_t size = sizeof ends.ours;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&ends.ours), &size) != 0) return std::nullopt;
  size = sizeof ends.theirs;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&ends.theirs), &size) != 0) return std::nullopt;
  return ends;
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return ntohl(v4.sin_addr.s_addr) >> 24U == IN_LOOPBACKNET;
  }
  if (address.ss_family != AF_INET6) return false;
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr) != 0;
}

void put(const sockaddr_storage& address, uint16_t& port, uint32_t (&bytes)[4]) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    port = v4.sin_port;
    std::memcpy(bytes, &v4.sin_addr, sizeof v4.sin_addr);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    port = v6.sin6_port;
    std::memcpy(bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
  }
}

// As long as ours is open, nobody else can have the other end's address and port.
bool is_open(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state == TCP_ESTABLISHED;
}

struct Question {
  nlmsghdr head{};
  inet_diag_req_v2 body{};
};

}  // namespace

bool is_over_loopback(int fd) {
  const std::optional<Ends> ends = ends_of(fd);
  return ends && is_loopback(ends->ours) && is_loopback(ends->theirs);
}

std::optional<uid_t> user_at_other_end(int fd) {
  const std::optional<Ends> ends = ends_of(fd);
  if (!ends || !is_loopback(ends->ours) || !is_loopback(ends->theirs)) return std::nullopt;
  const Descriptor netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (netlink.get() < 0) return std::nullopt;
  Question question;
  question.head.nlmsg_len = sizeof question;
  question.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.head.nlmsg_flags = NLM_F_REQUEST;
  question.body.sdiag_family = static_cast<uint8_t>(ends->ours.ss_family);
  question.body.sdiag_protocol = IPPROTO_TCP;
  question.body.idiag_states = ~0U;
  question.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  question.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  put(ends->theirs, question.body.id.idiag_sport, question.body.id.idiag_src);
  put(ends->ours, question.body.id.idiag_dport, question.body.id.idiag_dst);
  if (send(netlink.get(), &question, sizeof question, 0) != sizeof question) return std::nullopt;
  alignas(nlmsghdr) std::array<char, 1024> answer{};
  const ssize_t size = recv(netlink.get(), answer.data(), answer.size(), MSG_DONTWAIT);
  constexpr size_t kLeast = NLMSG_LENGTH(sizeof(inet_diag_msg));
  if (size < static_cast<ssize_t>(kLeast)) return std::nullopt;
  nlmsghdr head{};
  std::memcpy(&head, answer.data(), sizeof head);
  if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  inet_diag_msg found{};
  std::memcpy(&found, answer.data() + NLMSG_HDRLEN, sizeof found);
  // One that its process has closed is nobody's, and shown as root's.
  if (found.idiag_inode == 0 || !is_open(fd)) return std::nullopt;
  return found.idiag_uid;
}

}  // namespace covey
