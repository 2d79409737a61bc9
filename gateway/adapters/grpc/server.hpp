// SPDX-License-Identifier: Apache-2.0
// The API of coveyd: gRPC over TCP on loopback and over a Unix socket that only its owner may use
// (0600). All services of proto/covey/v1, health and reflection.
//
// Threading: start() and stop() on one thread; gRPC's own threads serve calls: they translate,
// enqueue into the EnginePort and never wait. Uploads are verified on a thread of their own. The
// port must outlive the server, and may complete calls late: after stop() such completions are
// ignored. Errors: GRPC_LISTEN (address in use, socket path too long or not ours), TLS_REQUIRED
// (not a loopback address).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey {

struct GrpcOptions {
  std::string host = "127.0.0.1";  // an IP address of loopback
  uint16_t port = 0;               // 0: a free one
  std::string unix_path;           // empty: no Unix socket
  uint32_t max_connections = 1000;
  Millis handshake_timeout{10'000};  // a connection that says nothing is closed then
  Millis probe_interval{10'000};
  Millis probe_timeout{5'000};
  Millis health_interval{1'000};  // the health service says SERVING while EnginePort::health() does
  std::string site = "site";      // name, version and start id as GetSite shows them
  std::string version;
  std::string start_id;
};

class GrpcServer {
 public:
  static Result<std::unique_ptr<GrpcServer>> start(runtime::EnginePort& engine,
                                                   const GrpcOptions& options);
  ~GrpcServer();  // stop(0)
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // Of TCP, also when 0 was asked for.
  int port() const;
  // Why a call to ourselves over loopback is not answered; empty: it is. Any thread.
  std::string unreachable() const;
  // Takes no new calls, ends watches, lets others finish until `deadline` from now, then cancels
  // them. Returns when none is left. Repeated calls do nothing.
  void stop(Millis deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;

 public:
  explicit GrpcServer(std::unique_ptr<Impl> impl);  // start() is the way in: Impl is private
};

}  // namespace covey
