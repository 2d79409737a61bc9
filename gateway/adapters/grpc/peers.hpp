// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of each connection that gRPC serves. gRPC is handed one end of a socket
// pair; the name of the other end, which only this process can have given, leads from a call back
// to its connection, and so to whatever its transport vouched for: a Unix peer, an address,
// a certificate. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/access/caller.hpp"

namespace covey::api {

using access::Caller;
using access::Via;

struct Peer {
  explicit Peer(Caller c) : caller(std::move(c)) {}

  const Caller caller;
  std::atomic<uint64_t> unread_bytes{0};  // of answers that it has not taken yet
  std::atomic<uint64_t> taken_bytes{0};   // since it connected
};
using PeerPtr = std::shared_ptr<Peer>;

class Peers {
 public:
  void add(const std::string& name, PeerPtr peer);
  void remove(const std::string& name);
  // `peer` as gRPC names it ("unix-abstract:NAME"); null: its connection is no more.
  PeerPtr find(std::string_view peer) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, PeerPtr, std::less<>> peers_;  // guarded by mutex_
};

}  // namespace covey::api
