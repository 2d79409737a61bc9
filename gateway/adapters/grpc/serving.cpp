// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/serving.hpp"

#include <algorithm>

namespace covey::api {

Serving::Serving(const runtime::EnginePort& engine, grpc::HealthCheckServiceInterface& health,
                 Millis interval)
    : engine_(engine), health_(health), interval_(interval) {
  tell();
  thread_ = std::thread([this] { run(); });
}

void Serving::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Serving::tell() {
  const auto checks = engine_.health();
  health_.SetServingStatus(std::all_of(checks.begin(), checks.end(),
                                       [](const runtime::HealthCheck& check) { return check.ok; }));
}

void Serving::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    lock.unlock();
    tell();
    lock.lock();
  }
}

}  // namespace covey::api
