// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/acceptor.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "gateway/adapters/posix/peer_user.hpp"
#include "gateway/adapters/posix/socket_address.hpp"

namespace covey::api {
namespace {

constexpr int kBacklog = 512;

Error listen_error(const std::string& key, const std::string& where, int number) {
  return {Code::kUnavailable, "GRPC_LISTEN",
          fmt::format(
              "{}: cannot listen on {}: {}{}", key, where, std::strerror(number),
              number == EADDRINUSE ? "; choose another, or stop the program that uses it" : "")};
}

Result<Descriptor> listen_tcp(const std::string& host, uint16_t port, int& bound_port) {
  SocketAddress address;
  const std::string where = fmt::format("{}:{}", host, port);
  if (!address.set(host, port)) return listen_error("grpc.listen", where, EINVAL);
  Descriptor fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return listen_error("grpc.listen", where, errno);
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  socklen_t size = address.size();
  if (bind(fd.get(), address.data(), size) != 0 || listen(fd.get(), kBacklog) != 0 ||
      getsockname(fd.get(), address.data(), &size) != 0) {
    return listen_error("grpc.listen", where, errno);
  }
  bound_port = address.port();
  return fd;
}

Result<Descriptor> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return invalid(
        "GRPC_LISTEN",
        fmt::format("grpc.unix: {} is longer than {} bytes: choose a shorter data directory", path,
                    sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  struct stat entry {};
  if (lstat(path.c_str(), &entry) == 0) {
    if (!S_ISSOCK(entry.st_mode)) {
      return precondition("GRPC_LISTEN",
                          "grpc.unix: " + path + " exists and is not a socket: move it away");
    }
    const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(probe.get(), generic, sizeof address) == 0)
      return listen_error("grpc.unix", path, EADDRINUSE);
    (void)unlink(path.c_str());  // left over by a process that was killed
  }
  Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0 || bind(fd.get(), generic, sizeof address) != 0) {
    return listen_error("grpc.unix", path, errno);
  }
  // Nobody can connect before listen(): the mode is right from the first connection on.
  if (chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || listen(fd.get(), kBacklog) != 0) {
    return listen_error("grpc.unix", path, errno);
  }
  return fd;
}

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address.ss_family == AF_INET) {
    bytes = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  } else if (address.ss_family == AF_INET6) {
    bytes = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  }
  if (bytes == nullptr ||
      inet_ntop(address.ss_family, bytes, text.data(), text.size()) == nullptr) {
    return "unknown";
  }
  return text.data();
}

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::listen(const std::string& host, uint16_t port,
                                                   const std::string& unix_path,
                                                   std::shared_ptr<const access::Access> access,
                                                   bool tls) {
  struct Access : Acceptor {};
  auto acceptor = std::make_unique<Access>();
  acceptor->access_ = std::move(access);
  acceptor->tls_ = tls;
  Result<Descriptor> tcp = listen_tcp(host, port, acceptor->port_);
  if (!tcp) return tcp.error();
  acceptor->tcp_ = *std::move(tcp);
  if (!unix_path.empty()) {
    Result<Descriptor> local = listen_unix(unix_path);
    if (!local) return local.error();
    acceptor->unix_ = *std::move(local);
    acceptor->unix_path_ = unix_path;
  }
  acceptor->wake_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (acceptor->wake_.get() < 0) return listen_error("grpc.listen", "an eventfd", errno);
  return std::unique_ptr<Acceptor>(std::move(acceptor));
}

Acceptor::~Acceptor() { stop(); }

void Acceptor::start(Relay& relay) {
  relay_ = &relay;
  thread_ = std::thread([this] { run(); });
}

void Acceptor::stop() {
  if (stopping_.exchange(true)) return;
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  tcp_.reset();
  unix_.reset();
  if (!unix_path_.empty()) (void)unlink(unix_path_.c_str());
}

void Acceptor::run() {
  while (!stopping_) {
    // Whom TCP has to wait for stays in its backlog; the Unix socket has its own.
    tcp_rate_.take(0, std::chrono::steady_clock::now());
    const Millis wait = tcp_rate_.wait();
    pollfd watched[3] = {{wake_.get(), POLLIN, 0},
                         {wait.count() > 0 ? -1 : tcp_.get(), POLLIN, 0},
                         {unix_.get(), POLLIN, 0}};
    const int timeout = wait.count() > 0 ? static_cast<int>(wait.count()) : -1;
    if (poll(watched, 3, timeout) < 0 && errno != EINTR) return;
    if (stopping_) return;
    if ((watched[2].revents & POLLIN) != 0) accept_one(unix_.get(), true);
    if ((watched[1].revents & POLLIN) != 0) accept_one(tcp_.get(), false);
  }
}

void Acceptor::accept_one(int listener, bool unix_socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  Descriptor fd(accept4(listener, reinterpret_cast<sockaddr*>(&address), &size,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd.get() < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      relay_->count(Refusal::kNoDescriptors);
      // The connection stays in the backlog: look again when something may have been closed.
      pollfd wake{wake_.get(), POLLIN, 0};
      (void)poll(&wake, 1, 100);
    }
    return;
  }
  if (!unix_socket) {
    tcp_rate_.take(1, std::chrono::steady_clock::now());
    const int on = 1;
    (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Caller caller = caller_over_tcp(fd.get(), address);
    return relay_->take(std::move(fd), std::move(caller));
  }
  std::optional<Caller> caller = caller_over_unix(fd.get());
  if (!caller) return relay_->count(Refusal::kStranger);
  relay_->take(std::move(fd), *std::move(caller));
}

// None: a stranger.
std::optional<Caller> Acceptor::caller_over_unix(int fd) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return access_->unix_peer(peer.uid);
}

Caller Acceptor::caller_over_tcp(int fd, const sockaddr_storage& address) const {
  if (tls_) return access_->tls_peer(text_of(address), "");
  return access_->plaintext_peer(text_of(address), is_over_loopback(fd), user_at_other_end(fd));
}

}  // namespace covey::api
