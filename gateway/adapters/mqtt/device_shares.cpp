// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/mqtt/device_shares.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace covey::mqtt {

bool DeviceShares::take(const DeviceId& device, Clock::time_point now) {
  if (whole_at_.size() >= look_at_) forget_whole_ones(now);
  const Clock::duration price = std::chrono::nanoseconds(std::chrono::seconds(1)) / share_.per_s;
  Clock::time_point& whole_at = whole_at_[device];
  const Clock::time_point next = std::max(whole_at, now) + price;
  if (next - now > price * share_.burst) return false;
  whole_at = next;
  return true;
}

void DeviceShares::forget_whole_ones(Clock::time_point now) {
  std::erase_if(whole_at_, [&](const auto& entry) { return entry.second <= now; });
  // Ids that are in topics only, of no device: a broker whose rights are not ours.
  if (whole_at_.size() > kDevicesMax) whole_at_.clear();
  look_at_ = std::max<size_t>(4'096, 2 * whole_at_.size());
}

}  // namespace covey::mqtt
