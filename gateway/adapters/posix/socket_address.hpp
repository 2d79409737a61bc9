// SPDX-License-Identifier: Apache-2.0
// An address and a port as the socket calls want them. Plain value.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "gateway/config/config.hpp"

namespace covey {

class SocketAddress {
 public:
  // False unless `host` is a literal IP address, or localhost.
  bool set(const std::string& host, uint16_t port) {
    v4_ = {};
    v6_ = {};
    v4_.sin_family = AF_INET;
    v4_.sin_port = htons(port);
    v6_.sin6_family = AF_INET6;
    v6_.sin6_port = htons(port);
    const std::string literal = config::ip_literal(host);
    if (::inet_pton(AF_INET, literal.c_str(), &v4_.sin_addr) == 1) {
      is_v6_ = false;
      return true;
    }
    is_v6_ = true;
    return ::inet_pton(AF_INET6, literal.c_str(), &v6_.sin6_addr) == 1;
  }
  int family() const { return is_v6_ ? AF_INET6 : AF_INET; }
  sockaddr* data() {
    return is_v6_ ? reinterpret_cast<sockaddr*>(&v6_) : reinterpret_cast<sockaddr*>(&v4_);
  }
  socklen_t size() const { return is_v6_ ? sizeof v6_ : sizeof v4_; }
  uint16_t port() const { return ntohs(is_v6_ ? v6_.sin6_port : v4_.sin_port); }

 private:
  sockaddr_in v4_{};
  sockaddr_in6 v6_{};
  bool is_v6_ = false;
};

}  // namespace covey
