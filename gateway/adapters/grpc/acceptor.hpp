// SPDX-License-Identifier: Apache-2.0
// Accepts connections for gRPC, which would never recover from running out of descriptors
// (docs/design/libraries.md, "gRPC"): at most `max_connections`, and over the Unix socket only from
// the owner of this process or root. Own thread; listen() and stop() on one other. Errors:
// GRPC_LISTEN, TLS_REQUIRED.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/result.hpp"
#include "gateway/adapters/posix/descriptor.hpp"

namespace covey::api {

// Who may be at the other end; of a Unix socket the kernel tells.
enum class Peer : uint8_t { kLoopback, kOwner, kRoot };
inline constexpr size_t kPeers = 3;

class Acceptor {
 public:
  static Result<std::unique_ptr<Acceptor>> listen(const std::string& host, uint16_t port,
                                                  const std::string& unix_path,
                                                  uint32_t max_connections);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  int port() const { return port_; }
  // `hand_over(peer, listener, connection)` owns the connection. Its thread is the acceptor's.
  using HandOver = std::function<void(Peer, int, int)>;
  void start(HandOver hand_over);
  void stop();
  uint64_t refused() const { return refused_; }

 protected:
  Acceptor() = default;

 private:
  void run();
  void accept_one(int listener, bool unix_socket);
  bool full();

  // A connection belongs to gRPC once handed over; descriptor and inode together tell whether it is
  // still the same socket.
  struct Handed {
    int fd = -1;
    uint64_t inode = 0;
  };

  Descriptor tcp_;
  Descriptor unix_;
  Descriptor wake_;
  std::string unix_path_;
  int port_ = 0;
  size_t connections_max_ = 0;
  std::vector<Handed> handed_;  // acceptor's thread
  HandOver hand_over_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> refused_{0};
  std::thread thread_;
};

}  // namespace covey::api
