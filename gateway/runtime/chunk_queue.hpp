// SPDX-License-Identifier: Apache-2.0
// Chunks that wait for the link to the broker: of each device its newest wish, which names all that
// it misses, so that what was asked for twice is sent once. Devices are served in turns, some
// chunks each. Bounded by the devices that are downloading. Thread safety: every method from any
// thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/id.hpp"
#include "gateway/engine/events.hpp"

namespace covey::runtime {

class ChunkQueue {
 public:
  // Takes the place of what waits for the same device. Indexes must not be empty.
  void put(engine::PublishChunks wish);
  // Of the device whose turn it is, `chunks_max` (at least 1) at most; nullopt: nothing waits.
  std::optional<engine::PublishChunks> take(size_t chunks_max);
  void clear();
  size_t chunks() const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<DeviceId, engine::PublishChunks> wishes_;
  std::deque<DeviceId> turns_;  // each device of wishes_ once
  size_t chunks_ = 0;
};

}  // namespace covey::runtime
