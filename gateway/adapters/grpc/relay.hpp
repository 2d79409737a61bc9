// SPDX-License-Identifier: Apache-2.0
// Carries the bytes between clients and gRPC, on threads of its own, and asks a Guard about them:
// gRPC sees only connections that behave. A connection has a place as long as it lives; places of
// TCP and of the Unix socket are apart, and whoever was idle longest gives way when they are taken.
// This is where TLS ends (docs/adr/0030), and a connection that has not come to the end of its
// handshake gives way first.
//
// Threading: start() and stop() on one thread, take() on the acceptor's, counters() on any.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/time.hpp"
#include "gateway/access/access.hpp"
#include "gateway/adapters/grpc/guard.hpp"
#include "gateway/adapters/grpc/peers.hpp"
#include "gateway/adapters/posix/descriptor.hpp"
#include "gateway/adapters/tls/server_contexts.hpp"

namespace covey::api {

struct RelayOptions {
  uint32_t tcp_max = 1000;
  uint32_t per_address_max = 500;  // of tcp_max
  uint32_t unix_max = 1000;
  Millis handshake_timeout{10'000};          // of TLS and the preface together
  std::shared_ptr<tls::ServerContexts> tls;  // over TCP; null: plaintext
};

// Why a connection got no place.
enum class Refusal : uint8_t { kFull, kFullOfAddress, kStranger, kNoDescriptors };
inline constexpr size_t kRefusals = 4;
std::string_view to_string(Refusal refusal);

struct RelayCounters {
  std::array<uint64_t, kRefusals> refused{};  // by Refusal
  std::array<uint64_t, kOffences> closed{};   // by Offence
  uint64_t open_tcp = 0;
  uint64_t open_unix = 0;
};

class Relay {
 public:
  // `hand_over(fd)`: gRPC's end of a connection, which it owns. Any of the relay's threads.
  using HandOver = std::function<void(int)>;
  Relay(const RelayOptions& options, std::shared_ptr<Peers> peers,
        std::shared_ptr<const access::Access> access, HandOver hand_over);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void start();
  // Gives what gRPC has said `flush` to leave, then closes everything.
  void stop(Millis flush);

  // A connection, for better or worse; `transport`: who comes, as far as it is known yet.
  void take(Descriptor connection, Caller transport);
  void count(Refusal refusal);
  RelayCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace covey::api
