// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/chunk_queue.hpp"

#include <algorithm>
#include <utility>

#include "core/assert.hpp"

namespace covey::runtime {

void ChunkQueue::put(engine::PublishChunks wish) {
  COVEY_ASSERT(!wish.indexes.empty());
  const std::lock_guard lock(mutex_);
  const auto [found, fresh] = wishes_.try_emplace(wish.device);
  if (fresh) turns_.push_back(wish.device);
  chunks_ += wish.indexes.size();
  chunks_ -= found->second.indexes.size();
  found->second = std::move(wish);
}

std::optional<engine::PublishChunks> ChunkQueue::take(size_t chunks_max) {
  const std::lock_guard lock(mutex_);
  if (turns_.empty()) return std::nullopt;
  const DeviceId device = std::move(turns_.front());
  turns_.pop_front();
  const auto found = wishes_.find(device);
  std::vector<uint32_t>& indexes = found->second.indexes;
  engine::PublishChunks part = found->second;
  part.indexes.resize(std::min(indexes.size(), chunks_max));
  chunks_ -= part.indexes.size();
  if (part.indexes.size() == indexes.size()) {
    wishes_.erase(found);
  } else {
    indexes.erase(indexes.begin(), indexes.begin() + static_cast<std::ptrdiff_t>(chunks_max));
    turns_.push_back(device);
  }
  return part;
}

void ChunkQueue::clear() {
  const std::lock_guard lock(mutex_);
  wishes_.clear();
  turns_.clear();
  chunks_ = 0;
}

size_t ChunkQueue::chunks() const {
  const std::lock_guard lock(mutex_);
  return chunks_;
}

}  // namespace covey::runtime
