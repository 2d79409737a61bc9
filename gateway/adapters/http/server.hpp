// SPDX-License-Identifier: Apache-2.0
// The operations port: GET and HEAD of /metrics, /healthz, /readyz, with TLS or without.
// Boost.Beast on one thread of its own.
//
// Limits: connections, header size, no bodies, deadlines for a request's header, for the reply and
// for idling; a client that is slow, silent or too chatty is closed and counted. When all places
// are taken, the client that has let us wait longest gives its place to the one that comes.
//
// Thread safety: start and stop from one thread; counters from any. Callbacks run on the HTTP
// thread and must be quick.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/access/access.hpp"
#include "gateway/adapters/http/metrics.hpp"
#include "gateway/adapters/tls/server_contexts.hpp"

namespace covey::http {

struct ReadyCheck {
  std::string name;  // "broker", "mqtt", "store", "engine", "grpc"
  bool ok = false;
  std::string reason;  // when not ok: what is wrong and what to do
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: a free one
  size_t connections_max = 64;
  size_t header_bytes_max = 8192;
  Millis header_timeout{
      5s};  // a handshake; first byte of a connection or request to the end of its header
  Millis reply_timeout{10s};
  Millis idle_timeout{30s};  // keep-alive
  uint32_t requests_per_connection_max = 1000;
  std::shared_ptr<access::Access> access;    // null: one of its own, as without a configuration
  std::shared_ptr<tls::ServerContexts> tls;  // null: plaintext
};

struct HttpCounters {
  uint64_t accepted = 0;
  uint64_t requests = 0;
  uint64_t refused_full = 0;  // connections above the limit, when none gave way
  uint64_t evicted = 0;       // connections that waited longest when somebody came
  uint64_t bad_requests = 0;
  uint64_t handshakes_failed = 0;
  uint64_t timeouts = 0;
  uint64_t open = 0;
};

class HttpServer {
 public:
  // `ready`: all checks; an empty list is not ready. `metrics` must outlive the server.
  HttpServer(HttpOptions options, const Metrics& metrics,
             std::function<std::vector<ReadyCheck>()> ready);
  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port it listens on. Errors: ADDRESS_IN_USE, HTTP_LISTEN.
  Result<uint16_t> start();
  void stop();  // closes everything at once

  HttpCounters counters() const;

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace covey::http
