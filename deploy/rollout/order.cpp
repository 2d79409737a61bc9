// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/order.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "deploy/signing/sha256.hpp"

namespace covey {
namespace {

struct Placed {
  Digest hash;
  OrderedDevice device;
  uint64_t rank = 0;  // within its stratum
  uint64_t size = 1;  // of its stratum
};

Digest place_of(std::string_view seed, const DeviceId& device) {
  std::string text(seed);
  text += '\0';
  text += device.str();
  return sha256(as_bytes(text));
}

// Device r of n in its stratum stands at (r + 1/2) / n: every prefix holds each stratum in
// proportion. Compared exactly, by cross-multiplication.
bool stands_before(const Placed& a, const Placed& b) {
  const uint64_t left = (2 * a.rank + 1) * b.size;
  const uint64_t right = (2 * b.rank + 1) * a.size;
  if (left != right) return left < right;
  if (a.hash != b.hash) return a.hash < b.hash;
  return a.device.device < b.device.device;
}

}  // namespace

std::vector<DeviceId> hash_order(std::vector<OrderedDevice> devices, std::string_view seed) {
  std::vector<Placed> placed;
  placed.reserve(devices.size());
  for (OrderedDevice& device : devices) {
    Digest hash = place_of(seed, device.device);
    placed.push_back({hash, std::move(device)});
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    if (a.device.device != b.device.device) return a.device.device < b.device.device;
    return a.device.stratum < b.device.stratum;
  });
  placed.erase(std::unique(placed.begin(), placed.end(),
                           [](const Placed& a, const Placed& b) {
                             return a.device.device == b.device.device;
                           }),
               placed.end());

  std::unordered_map<std::string, uint64_t> sizes;
  for (Placed& device : placed) device.rank = sizes[device.device.stratum]++;
  if (sizes.size() > 1) {
    for (Placed& device : placed) device.size = sizes[device.device.stratum];
    std::sort(placed.begin(), placed.end(), stands_before);
  }
  std::vector<DeviceId> order;
  order.reserve(placed.size());
  for (Placed& device : placed) order.push_back(std::move(device.device.device));
  return order;
}

std::span<const DeviceId> StageSets::added_by(size_t stage) const {
  if (stage >= ends.size()) return {};
  const size_t start = stage == 0 ? 0 : ends[stage - 1];
  return std::span(order).subspan(start, ends[stage] - start);
}

std::span<const DeviceId> StageSets::held_back() const { return std::span(order).last(holdback); }

StageSets assign_stages(const std::vector<OrderedDevice>& devices, std::string_view seed,
                        std::span<const StageSize> sizes, Ratio holdback) {
  StageSets sets;
  std::unordered_set<DeviceId> running;
  for (const OrderedDevice& device : devices) {
    if (device.runs_release) running.insert(device.device);
  }
  std::vector<OrderedDevice> candidates;
  for (const OrderedDevice& device : devices) {
    if (!running.contains(device.device)) candidates.push_back(device);
  }
  sets.already_running.assign(running.begin(), running.end());
  std::sort(sets.already_running.begin(), sets.already_running.end());

  sets.order = hash_order(std::move(candidates), seed);
  const uint64_t total = sets.order.size();
  if (total > 0) {
    sets.holdback = static_cast<size_t>(std::min(ceil_share(total, holdback), total - 1));
  }
  const uint64_t offered = total - sets.holdback;
  uint64_t end = 0;
  for (const StageSize& size : sizes) {
    const uint64_t wanted =
        size.count > 0 ? size.count : std::max<uint64_t>(1, ceil_share(total, size.share));
    end = std::max(end, std::min(wanted, offered));
    sets.ends.push_back(static_cast<size_t>(end));
  }
  return sets;
}

}  // namespace covey
