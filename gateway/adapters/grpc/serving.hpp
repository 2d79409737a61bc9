// SPDX-License-Identifier: Apache-2.0
// Tells gRPC's health service whether this gateway is ready: what /readyz says over HTTP. Own
// thread; made and stopped on one other.
#pragma once

#include <grpcpp/health_check_service_interface.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/time.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey::api {

class Serving {
 public:
  // Asks `engine` at once, on the caller's thread, then every `interval`. Both outlive it.
  Serving(const runtime::EnginePort& engine, grpc::HealthCheckServiceInterface& health,
          Millis interval);
  ~Serving() { stop(); }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  void stop();

 private:
  void tell();
  void run();

  const runtime::EnginePort& engine_;
  grpc::HealthCheckServiceInterface& health_;
  const Millis interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last: it uses the others
};

}  // namespace covey::api
