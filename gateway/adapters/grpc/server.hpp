// SPDX-License-Identifier: Apache-2.0
// The API of coveyd: gRPC over TCP, with TLS or without, and over a Unix socket that only its owner
// may use (0600). All services of proto/covey/v1, health and reflection. Clients reach gRPC through
// a relay that watches what they send (docs/adr/0030).
//
// Threading: start() and stop() on one thread; gRPC's own threads serve calls: they translate,
// enqueue into the EnginePort and never wait. Uploads are verified on a thread of their own. The
// port must outlive the server, and may complete calls late: after stop() such completions are
// ignored. Errors: GRPC_LISTEN (address in use, socket path too long or not ours).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/access/access.hpp"
#include "gateway/adapters/tls/server_contexts.hpp"
#include "gateway/api/make_secret.hpp"
#include "gateway/api/tls_facts.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey {

struct GrpcOptions {
  std::string host = "127.0.0.1";              // an IP address
  uint16_t port = 0;                           // 0: a free one
  std::string unix_path;                       // empty: no Unix socket
  uint32_t max_connections = 1000;             // over TCP; as many over the Unix socket
  uint32_t max_connections_per_address = 500;  // of them
  Millis handshake_timeout{10'000};            // a connection that says nothing is closed then
  Millis upload_piece_timeout{20'000};         // an upload of which nothing comes ends then
  size_t questions_over_tcp_max = 512;         // at once; below the engine's queue
  Millis probe_interval{10'000};
  Millis probe_timeout{5'000};
  Millis health_interval{1'000};  // the health service says SERVING while EnginePort::health() does
  std::string site = "site";      // name, version and start id as GetSite shows them
  std::string version;
  std::string start_id;
  api::TlsFacts tls;
  std::shared_ptr<const PrivateKey> audit_key;  // null: heads are not signed (tests)
  api::MakeSecret make_secret;                  // null: the site's secret can't be rotated (tests)
  std::shared_ptr<access::Access> access;       // null: one of its own, as without a configuration
  std::shared_ptr<tls::ServerContexts> server_tls;  // over TCP; null: plaintext
};

// Of connections, since the start; reasons are the words of Refusal and Offence.
struct GrpcCounters {
  using Reasons = std::vector<std::pair<std::string, uint64_t>>;
  Reasons refused;
  Reasons closed;  // by us
  uint64_t open_tcp = 0;
  uint64_t open_unix = 0;
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
  // Any thread.
  GrpcCounters counters() const;
  // Takes no new calls, ends watches, lets others finish until `deadline` from now, then cancels
  // them and closes every connection. Returns at most some seconds after `deadline`: what gRPC does
  // not let go of then is left to the end of the process, and logged. Repeated calls do nothing.
  void stop(Millis deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // perhaps of a thread of gRPC that hangs, too

 public:
  explicit GrpcServer(std::shared_ptr<Impl> impl);  // start() is the way in: Impl is private
};

}  // namespace covey
