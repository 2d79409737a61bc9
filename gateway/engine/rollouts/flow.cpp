// SPDX-License-Identifier: Apache-2.0
// Admission of transfers by what comes back. Chunks that wait for the broker are counted and the
// rate at which they leave is measured: their quotient is how long whoever asks now would wait. As
// many devices are in a transfer as keep that short: some more while nobody waits, fewer by a third
// when somebody waits too long (additive increase, multiplicative decrease; Chiu and Jain 1989).
// Who asks although the link has enough to do is told when its turn will come.
#include <algorithm>
#include <chrono>

#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr Millis kLookEvery = 50ms;
constexpr Millis kPause = 5s;         // what was this long was one, and no measurement
constexpr double kGuessPerS = 4'000;  // until some have waited
constexpr double kLeastPerS = 50;
constexpr double kNewest = 0.2;  // of a measurement, in the average

// Of a chunk. A device believes that its fetch was lost after a second at the soonest.
constexpr Millis kWaitLow = 100ms;
constexpr Millis kWaitHigh = 300ms;
constexpr Millis kWaitMax = 500ms;
constexpr double kTransfersFirst = 256;
constexpr double kTransfersLeast = 32;
constexpr double kMorePerLook = 16;
constexpr double kKept = 2.0 / 3.0;
constexpr Millis kLowerEvery = 1s;  // what was done shows by then

void measure(Flow& flow, const ChunkFlow& chunks, double seconds) {
  const bool busy = flow.seen.waiting > 0 && chunks.waiting > 0;
  if (!busy || chunks.sent < flow.seen.sent) return;
  const double rate =
      std::max(kLeastPerS, static_cast<double>(chunks.sent - flow.seen.sent) / seconds);
  double& average = flow.chunks_per_s;
  average = average == 0 ? rate : average + kNewest * (rate - average);
}

void adapt(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  Flow& flow = rollouts.flow;
  const auto now = static_cast<double>(rollouts.transfers.size());
  if (flow.transfers_max == 0) flow.transfers_max = kTransfersFirst;
  const Millis wait = chunk_wait(turn.state);
  if (wait > kWaitHigh && turn.now.mono - flow.lowered_at >= kLowerEvery) {
    flow.transfers_max = std::max(kTransfersLeast, kKept * std::min(flow.transfers_max, now));
    flow.lowered_at = turn.now.mono;
  } else if (wait < kWaitLow && now + kMorePerLook >= flow.transfers_max) {
    flow.transfers_max += kMorePerLook;
  }
}

}  // namespace

void note_flow(Turn& turn, const ChunkFlow& chunks) {
  Flow& flow = own_rollouts(turn).flow;
  const Millis passed = turn.now.mono - flow.seen_at;
  if (passed < kLookEvery) return;
  const double seconds = std::chrono::duration<double>(passed).count();
  if (passed < kPause) measure(flow, chunks, seconds);
  flow.promised = std::max(0.0, flow.promised - chunks_per_s(turn.state) * seconds);
  flow.seen = chunks;
  flow.seen_at = turn.now.mono;
  flow.given = 0;
  adapt(turn);
}

double chunks_per_s(const State& state) {
  const double measured = state.rollouts.flow.chunks_per_s;
  return measured == 0 ? kGuessPerS : measured;
}

Millis chunk_wait(const State& state) {
  const Flow& flow = state.rollouts.flow;
  const auto waiting = static_cast<double>(flow.seen.waiting + flow.given);
  return Millis{static_cast<int64_t>(waiting * 1000.0 / chunks_per_s(state))};
}

uint32_t transfers_left(const State& state) {
  const auto most = static_cast<size_t>(state.rollouts.flow.transfers_max);
  return static_cast<uint32_t>(most - std::min(most, state.rollouts.transfers.size()));
}

std::optional<Millis> give_turn(Turn& turn, size_t chunks) {
  const Millis wait = chunk_wait(turn.state);
  if (wait <= kWaitMax) return std::nullopt;
  double& promised = own_rollouts(turn).flow.promised;
  promised += static_cast<double>(chunks);
  return wait + Millis{static_cast<int64_t>(promised * 1000.0 / chunks_per_s(turn.state))};
}

}  // namespace covey::engine
