// SPDX-License-Identifier: Apache-2.0
// A device's share of what comes in by the broker, whatever kind of message: one that sends
// thousands a second must not fill the queues before the engine that all devices share, nor keep
// the receiving thread busy with reading them. Far above the engine's own budgets
// (gateway/engine/fleet/budget.hpp), which say what a device may cost and tell people of it.
// Only devices that sent something in the last seconds take memory. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <unordered_map>

#include "core/id.hpp"

namespace covey::mqtt {

class DeviceShares {
 public:
  using Clock = std::chrono::steady_clock;

  struct Share {
    uint32_t per_s = 64;
    uint32_t burst = 1'024;  // after a silence
  };
  explicit DeviceShares(Share share) : share_(share) {}
  DeviceShares() : DeviceShares(Share{}) {}

  // False: more than its share.
  bool take(const DeviceId& device, Clock::time_point now);
  size_t size() const { return whole_at_.size(); }

 private:
  void forget_whole_ones(Clock::time_point now);

  const Share share_;
  size_t look_at_ = 4'096;
  std::unordered_map<DeviceId, Clock::time_point> whole_at_;  // when its share is whole again
};

}  // namespace covey::mqtt
