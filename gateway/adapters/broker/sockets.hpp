// The few pieces of socket API that the supervisor needs: an owned descriptor, a loopback address,
// and a port kept for a broker that may have to come back on it.
//
// Thread safety: plain values.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

namespace covey::broker {

class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  ~OwnedFd() { reset(); }
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;

  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

class SocketAddress {
 public:
  // False unless `host` is a literal IP address (or "localhost", read as 127.0.0.1).
  bool set(const std::string& host, uint16_t port) {
    v4_ = {};
    v6_ = {};
    v4_.sin_family = AF_INET;
    v4_.sin_port = htons(port);
    v6_.sin6_family = AF_INET6;
    v6_.sin6_port = htons(port);
    const std::string literal = host == "localhost" ? "127.0.0.1" : host;
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

// A port bound but not listened on. With SO_REUSEADDR on both sides another process of ours may
// bind and listen on it meanwhile, yet the kernel gives it to nobody who asks for "any".
struct ReservedPort {
  OwnedFd fd;
  uint16_t port = 0;  // 0: could not be had
};

inline ReservedPort reserve_port(const std::string& host, uint16_t port) {
  SocketAddress address;
  if (!address.set(host, port)) return ReservedPort{OwnedFd(), 0};
  ReservedPort reserved{OwnedFd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  const int on = 1;
  socklen_t size = address.size();
  if (reserved.fd.get() < 0 ||
      ::setsockopt(reserved.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(reserved.fd.get(), address.data(), size) != 0 ||
      ::getsockname(reserved.fd.get(), address.data(), &size) != 0) {
    return ReservedPort{OwnedFd(), 0};
  }
  reserved.port = address.port();
  return reserved;
}

}  // namespace covey::broker
