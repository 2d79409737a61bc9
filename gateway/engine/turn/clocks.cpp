// SPDX-License-Identifier: Apache-2.0
// What the two clocks may decide. Observed time runs only while coveyd hears its devices; the wall
// clock may step by years at the first NTP answer, and then nothing may be deleted or judged by it.
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr int kGraceIntervals = 2;
constexpr Millis kObservedKeptEvery = 5min;
constexpr Millis kWallJump = 5min;
// Long enough for somebody to look, before retention deletes by the new time.
constexpr Millis kHoldAfterJump = 24h;

std::string text_of(Millis moved) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(moved).count();
  return (seconds > 0 ? "+" : "") + std::to_string(seconds) + " s";
}

}  // namespace

Millis grace(const EngineConfig& config) { return kGraceIntervals * config.report_interval; }

bool in_grace(const Turn& turn) {
  const State& state = turn.state;
  return state.site.observed - state.clocks.connected_observed < grace(turn.config);
}

void notice_wall_clock(Turn& turn) {
  State& state = own_all(turn);
  const Now before = std::exchange(state.clocks.last_now, turn.now);
  const Millis moved = (turn.now.wall - before.wall) - (turn.now.mono - before.mono);
  if (moved <= kWallJump && moved >= -kWallJump) return;
  ++turn.counters().wall_jumps;
  state.clocks.hold_until = state.site.observed + kHoldAfterJump;
  turn.log(LogLine::Level::kWarning, "wall_clock_jumped", "site",
           text_of(moved) + ": schedules and retention wait for a day");
  forget_offsets(turn);
  abandon_windows(turn);
}

void keep_observed_time(Turn& turn) {
  State& state = own_all(turn);
  if (state.site.observed - state.clocks.observed_kept < kObservedKeptEvery) return;
  state.clocks.observed_kept = state.site.observed;
  turn.write(PutSite{state.site});
}

bool schedules_held(const State& state) { return state.site.observed < state.clocks.hold_until; }

}  // namespace covey::engine
