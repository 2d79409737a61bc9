// SPDX-License-Identifier: Apache-2.0
// What the reactors share beside the engine: how errors and peers look in gRPC, who must be told to
// end at shutdown, what uploads, watches and answers may take. TCP and the Unix socket have shares
// of their own, so that strangers leave the owner's alone. Thread-safe.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "gateway/access/access.hpp"
#include "gateway/adapters/grpc/feed.hpp"
#include "gateway/adapters/grpc/peers.hpp"
#include "gateway/api/call.hpp"
#include "gateway/api/limits.hpp"
#include "gateway/runtime/lane.hpp"

namespace covey::api {

struct SessionOptions {
  Millis upload_piece_timeout{20'000};
  size_t questions_over_tcp_max = 512;
};

class Session {
 public:
  Session(ContextPtr c, SessionOptions o, std::shared_ptr<access::Access> a)
      : context(std::move(c)),
        options(o),
        access(std::move(a)),
        peers(std::make_shared<Peers>()),
        verifier("covey-uploads", kUploadsMax * 2),
        feed(context->engine) {}

  const ContextPtr context;
  const SessionOptions options;
  const std::shared_ptr<access::Access> access;
  const std::shared_ptr<Peers> peers;
  runtime::Lane verifier;  // of uploads: neither gRPC nor the engine waits for their checks
  Feed feed;

  // Null: the connection is no more, or not one of ours.
  PeerPtr peer_of(const grpc::CallbackServerContext& call) const {
    return peers->find(call.peer());
  }
  // Who calls, where he may. `peer`: of peer_of().
  Result<Caller> admit(const PeerPtr& peer, const grpc::CallbackServerContext& call,
                       const access::Rule& rule) const;

  // A place for one more call that asks the engine, until nobody holds it any more, the engine's
  // queue included; null: those over TCP have all of theirs. The Unix socket's are not limited, so
  // what the queue has beyond them is kept for the owner.
  static std::shared_ptr<const void> begin_question(const std::shared_ptr<Session>& session,
                                                    Via via);

  // A place for one more upload; false: there is none. Each is given back.
  [[nodiscard]] bool begin_upload(Via via);
  void end_upload(Via via);

  // `end` is called once, at shutdown, unless it is removed before.
  uint64_t on_shutdown(std::function<void()> end);
  void forget(uint64_t id);
  void shut_down();
  // After shut_down(): until no call is in flight, at most `longest`; whether none is.
  bool wait_for_calls(Millis longest);

 private:
  friend class InFlight;

  std::array<std::atomic<uint64_t>, 2> unread_bytes_{};  // by Via
  std::atomic<size_t> questions_over_tcp_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  std::array<int, 2> uploads_{};                    // by Via; guarded by mutex_
  size_t calls_ = 0;                                // guarded by mutex_
  bool down_ = false;                               // guarded by mutex_
  uint64_t next_ = 1;                               // guarded by mutex_
  std::map<uint64_t, std::function<void()>> ends_;  // guarded by mutex_
};

// One call, from its start until gRPC is done with it.
class InFlight {
 public:
  InFlight(std::shared_ptr<Session> session, PeerPtr peer);
  ~InFlight() { end(); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  // An answer of so many bytes is given to gRPC, which keeps it until the client takes it. Errors:
  // ANSWER_TOO_LARGE, ANSWERS_UNREAD. One at a time.
  Status hold(size_t bytes);
  void taken();  // what hold() took is given back; nothing held: nothing happens
  void end();    // once; repeated calls do nothing

 private:
  std::shared_ptr<Session> session_;
  PeerPtr peer_;  // null: unknown
  std::atomic<uint64_t> held_{0};
};

// Adds the reason as trailing metadata.
grpc::Status to_grpc(const Status& status, grpc::CallbackServerContext& context);
inline Error connection_gone() {
  return {Code::kUnavailable, "CONNECTION_GONE", "the connection of this call has ended"};
}

}  // namespace covey::api
