// SPDX-License-Identifier: Apache-2.0
// A port kept for a broker that may have to come back on it. Plain value.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "gateway/adapters/posix/descriptor.hpp"
#include "gateway/adapters/posix/socket_address.hpp"

namespace covey::broker {

// A port bound but not listened on. With SO_REUSEADDR on both sides another process of ours may
// bind and listen on it meanwhile, yet the kernel gives it to nobody who asks for "any".
struct ReservedPort {
  Descriptor fd;
  uint16_t port = 0;  // 0: could not be had
};

inline ReservedPort reserve_port(const std::string& host, uint16_t port) {
  SocketAddress address;
  if (!address.set(host, port)) return ReservedPort{Descriptor(), 0};
  ReservedPort reserved{Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  const int on = 1;
  socklen_t size = address.size();
  if (reserved.fd.get() < 0 ||
      ::setsockopt(reserved.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(reserved.fd.get(), address.data(), size) != 0 ||
      ::getsockname(reserved.fd.get(), address.data(), &size) != 0) {
    return ReservedPort{Descriptor(), 0};
  }
  reserved.port = address.port();
  return reserved;
}

}  // namespace covey::broker
