// SPDX-License-Identifier: Apache-2.0
// What the reactors share beside the engine: how errors and peers look in gRPC, who must be told to
// end at shutdown, how many uploads are in memory. Thread-safe.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/limits.hpp"
#include "gateway/api/call.hpp"
#include "gateway/runtime/lane.hpp"

namespace covey::api {

struct Session {
  explicit Session(ContextPtr c)
      : context(std::move(c)), verifier("covey-uploads", kUploadsMax * 2) {}

  const ContextPtr context;
  runtime::Lane verifier;  // of uploads: neither gRPC nor the engine waits for their checks
  std::atomic<int> uploads{0};

  // `end` is called once, at shutdown, unless it is removed before.
  uint64_t on_shutdown(std::function<void()> end);
  void forget(uint64_t id);
  void shut_down();
  // After shut_down(): until no call is in flight, at most `longest`.
  void wait_for_calls(Millis longest);

 private:
  friend class InFlight;

  std::mutex mutex_;
  std::condition_variable ended_;
  size_t calls_ = 0;                                // guarded by mutex_
  bool down_ = false;                               // guarded by mutex_
  uint64_t next_ = 1;                               // guarded by mutex_
  std::map<uint64_t, std::function<void()>> ends_;  // guarded by mutex_
};

// One call, from its start until gRPC is done with it.
class InFlight {
 public:
  explicit InFlight(std::shared_ptr<Session> session);
  ~InFlight() { end(); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  void end();  // once; repeated calls do nothing

 private:
  std::shared_ptr<Session> session_;
};

// Adds the reason as trailing metadata.
grpc::Status to_grpc(const Status& status, grpc::CallbackServerContext& context);
}  // namespace covey::api
