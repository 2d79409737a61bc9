// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

void on_fetch(Turn& turn, const Device& device, const FetchMessage& fetch) {
  const State& state = turn.state;
  change_session(turn, device.id).last_heard = turn.now.mono;
  PublishChunks answer{.device = device.id,
                       .shard = device.shard,
                       .manifest = prefix_of(fetch.manifest),
                       .indexes = {}};
  for (uint32_t bit = 0; bit < 32; ++bit) {
    if ((fetch.bitmap >> bit & 1U) != 0) answer.indexes.push_back(fetch.first + bit);
  }
  if (answer.indexes.empty()) return;

  const auto known = state.catalogue.artifacts.find(fetch.manifest);
  const Deployment* wanted = nullptr;
  for (const auto& [name, model] : device.models) {
    const Deployment* deployment = deployment_in_progress(state, device.id, name);
    if (deployment != nullptr && in_flight(deployment->state) &&
        deployment->manifest == fetch.manifest && deployment->attempt == fetch.attempt) {
      wanted = deployment;
    }
  }
  if (known == state.catalogue.artifacts.end()) {
    answer.result = ChunkResult::kNotFound;
  } else if (wanted == nullptr) {
    turn.drop(Drop::kFetchSuperseded);
    answer.result = ChunkResult::kSuperseded;
  } else {
    const std::shared_ptr<const Artifact>& artifact = known->second.artifact;
    const uint32_t chunks = artifact->manifest.chunk_count();
    std::erase_if(answer.indexes, [&](uint32_t index) { return index >= chunks; });
    const double bytes = static_cast<double>(answer.indexes.size()) *
                         static_cast<double>(artifact->manifest.chunk_size_bytes);
    if (answer.indexes.empty()) {
      answer.result = ChunkResult::kNotFound;
    } else if (state.rollouts.bandwidth_tokens <= 0) {
      // Whoever comes while something is left gets all it asked for, on credit: a link that is
      // slower than one request a second still delivers.
      turn.drop(Drop::kFetchBusy);
      answer.result = ChunkResult::kBusy;
      const double missing_s = (bytes - state.rollouts.bandwidth_tokens) /
                               static_cast<double>(turn.config.bandwidth_bytes_per_s);
      answer.retry_after_ms = static_cast<uint32_t>(std::clamp(missing_s * 2000.0, 50.0, 60'000.0));
    } else {
      own_rollouts(turn).bandwidth_tokens -= bytes;
      turn.counters().chunks += answer.indexes.size();
      answer.artifact = artifact;
    }
  }
  if (answer.result != ChunkResult::kOk) answer.indexes = {fetch.first};
  turn.emit(std::move(answer));
}

}  // namespace covey::engine
