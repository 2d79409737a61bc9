// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr Millis kActive = 5s;   // since its last fetch a device takes its part
constexpr Millis kEcho = 200ms;  // what was sent is not sent again so soon
constexpr Millis kRefusedEvery = 50ms;
constexpr Millis kSweepEvery = 1s;
constexpr Millis kBusyLeast = 250ms;
constexpr Millis kBusyMost = 30s;

// Each has the same: what one does not take is not given to those who ask for more, or a liar that
// asks without end would have it.
double share_of(const Turn& turn) {
  const auto active =
      static_cast<double>(std::max<size_t>(1, turn.state.rollouts.downloads.size()));
  return static_cast<double>(turn.config.bandwidth_bytes_per_s) / active;
}

void sweep(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  if (turn.now.mono - rollouts.downloads_swept < kSweepEvery) return;
  rollouts.downloads_swept = turn.now.mono;
  const double share = share_of(turn);
  std::erase_if(rollouts.downloads, [&](const auto& entry) {
    const Download& download = entry.second;
    const auto waited = static_cast<double>((turn.now.mono - download.earned_until).count());
    // Debts are kept, or a new start would pay them.
    return turn.now.mono - download.heard > kActive &&
           download.credit + share * waited / 1000.0 > 0;
  });
}

Download& download_of(Turn& turn, const DeviceId& device) {
  sweep(turn);
  const auto [found, fresh] = own_rollouts(turn).downloads.try_emplace(device);
  Download& download = found->second;
  const double share = share_of(turn);
  const double passed = static_cast<double>((turn.now.mono - download.earned_until).count());
  // A second of its part is the most that it saves.
  download.credit = fresh ? share : std::min(share, download.credit + share * passed / 1000.0);
  download.earned_until = turn.now.mono;
  download.heard = turn.now.mono;
  return download;
}

uint32_t milliseconds(double bytes, double bytes_per_s, double least) {
  return static_cast<uint32_t>(std::clamp(bytes / bytes_per_s * 1000.0, least, 60'000.0));
}

// Also what arrived before the answer to another left, however long it has waited here since.
bool is_echo(const Download& download, const Digest& manifest, uint32_t index, Millis arrived) {
  if (arrived - download.sent >= kEcho || download.manifest != manifest) return false;
  const uint32_t bit = index - download.first;
  return index >= download.first && bit < 32 && (download.bitmap >> bit & 1U) != 0;
}

// nullopt: it may be sent; else when to come again. Whoever comes while something is left gets all
// it asked for, on credit: a link that is slower than one request a second still delivers.
std::optional<uint32_t> come_again(Turn& turn, const Download& download, double bytes,
                                   size_t chunks) {
  if (const auto later = come_later(turn.state.backlog.lifecycle_percent)) {
    return static_cast<uint32_t>(later->count());
  }
  const double share = share_of(turn);
  if (const auto again = give_turn(turn, chunks)) {
    return static_cast<uint32_t>(std::clamp(*again, kBusyLeast, kBusyMost).count());
  }
  if (download.credit <= 0) return milliseconds(-download.credit, share, 50.0);
  const double tokens = turn.state.rollouts.bandwidth_tokens;
  if (tokens > 0) return std::nullopt;
  return milliseconds(2.0 * (bytes - tokens),
                      static_cast<double>(turn.config.bandwidth_bytes_per_s), 50.0);
}

}  // namespace

void on_fetch(Turn& turn, const Device& device, const FetchMessage& fetch, Millis arrived) {
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
    const bool exists = !answer.indexes.empty();
    Download& download = download_of(turn, device.id);
    std::erase_if(answer.indexes, [&](uint32_t index) {
      return is_echo(download, fetch.manifest, index, arrived);
    });
    if (exists && answer.indexes.empty()) return turn.drop(Drop::kFetchBusy);
    const double bytes = static_cast<double>(answer.indexes.size()) *
                         static_cast<double>(artifact->manifest.chunk_size_bytes);
    if (!exists) {
      answer.result = ChunkResult::kNotFound;
    } else if (const auto again = come_again(turn, download, bytes, answer.indexes.size())) {
      turn.drop(Drop::kFetchBusy);
      // Who asks without a pause is not answered each time.
      if (turn.now.mono - download.refused < kRefusedEvery) return;
      download.refused = turn.now.mono;
      answer.result = ChunkResult::kBusy;
      answer.retry_after_ms = *again;
    } else {
      own_rollouts(turn).bandwidth_tokens -= bytes;
      download.credit -= bytes;
      download.manifest = fetch.manifest;
      download.first = fetch.first;
      download.bitmap = fetch.bitmap;
      download.sent = turn.now.mono;
      own_rollouts(turn).flow.given += answer.indexes.size();
      turn.counters().chunks += answer.indexes.size();
      answer.artifact = artifact;
    }
  }
  if (answer.result != ChunkResult::kOk) answer.indexes = {fetch.first};
  turn.emit(std::move(answer));
}

}  // namespace covey::engine
