// SPDX-License-Identifier: Apache-2.0
// Accepts connections for the API and says whose they are: over the Unix socket only from the owner
// of this process or root, as the kernel tells, and over loopback whoever has the other end. TCP
// may not take more than its time: the Unix socket is looked at in any case. Own thread; listen()
// and stop() on one other. Errors: GRPC_LISTEN.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/result.hpp"
#include "gateway/access/access.hpp"
#include "gateway/adapters/grpc/relay.hpp"
#include "gateway/adapters/posix/descriptor.hpp"

namespace covey::api {

class Acceptor {
 public:
  static Result<std::unique_ptr<Acceptor>> listen(const std::string& host, uint16_t port,
                                                  const std::string& unix_path,
                                                  std::shared_ptr<const access::Access> access,
                                                  bool tls);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }
  // Each connection goes to `relay`, which outlives this.
  void start(Relay& relay);
  void stop();

 protected:
  Acceptor() = default;

 private:
  void run();
  void accept_one(int listener, bool unix_socket);
  std::optional<Caller> caller_over_unix(int fd) const;
  Caller caller_over_tcp(int fd, const sockaddr_storage& address) const;

  std::shared_ptr<const access::Access> access_;
  bool tls_ = false;  // over TCP
  Descriptor tcp_;
  Descriptor unix_;
  Descriptor wake_;
  std::string unix_path_;
  int port_ = 0;
  Allowance tcp_rate_{200, 500, 500};  // connections per second; acceptor's thread
  Relay* relay_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace covey::api
