// SPDX-License-Identifier: Apache-2.0
// Which devices, and in which order. The order is a function of (seed, device id) only:
// SHA-256(seed | 0x00 | device id), ascending, so the same plan always picks the same devices and
// another plan picks others. With strata the order interleaves them, so that every prefix
// represents each in proportion. Pure; any thread;.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.hpp"
#include "core/ratio.hpp"
#include "deploy/rollout/plan.hpp"

namespace covey {

struct OrderedDevice {
  DeviceId device;
  std::string stratum;        // values of the plan's strata; empty: one stratum
  bool runs_release = false;  // already: leaves the order before sizes are computed

  bool operator==(const OrderedDevice&) const = default;
};

// Deterministic whatever the order of the input; a device named twice counts once.
std::vector<DeviceId> hash_order(std::vector<OrderedDevice> devices, std::string_view seed);

struct StageSets {
  // Offered in this order; then the holdback, which is never offered.
  std::vector<DeviceId> order;
  // Stage k is order[0, ends[k]); what it adds to stage k-1 is [ends[k-1], ends[k]).
  std::vector<size_t> ends;
  size_t holdback = 0;                    // the last ones of `order`
  std::vector<DeviceId> already_running;  // sorted by id

  std::span<const DeviceId> added_by(size_t stage) const;
  std::span<const DeviceId> held_back() const;
  bool nothing_to_do() const { return order.empty(); }
};

// Shares are of all devices in the order, rounded up to at least 1; neither a stage nor the
// holdback takes what the other needs: the holdback leaves at least one device, a stage leaves the
// holdback.
StageSets assign_stages(const std::vector<OrderedDevice>& devices, std::string_view seed,
                        std::span<const StageSize> sizes, Ratio holdback);

}  // namespace covey
