// SPDX-License-Identifier: Apache-2.0
// All that the engine knows, by rooms: each room declares its own part and is the only one that
// changes it (turn/own.hpp). What is durable mirrors the store row by row ("memory equals a reload
// of the store" is checked by tests/sim); what is soft is rebuilt from what devices say. Owned by
// the engine thread.
#pragma once

#include <array>
#include <cstdint>

#include "gateway/engine/access/state.hpp"
#include "gateway/engine/catalogue/state.hpp"
#include "gateway/engine/config.hpp"
#include "gateway/engine/drops.hpp"
#include "gateway/engine/events.hpp"
#include "gateway/engine/fleet/state.hpp"
#include "gateway/engine/gates/state.hpp"
#include "gateway/engine/rollouts/state.hpp"
#include "gateway/engine/telemetry/state.hpp"
#include "gateway/engine/turn/clocks.hpp"
#include "storage/store.hpp"

namespace covey::engine {

// From a goal to the device's word that has it, where the device was online all the while.
struct ReceiptTimes {
  static constexpr std::array<uint32_t, 14> kBoundsMs{
      100, 200, 300, 500, 750, 1'000, 1'500, 2'000, 3'000, 5'000, 10'000, 30'000, 60'000, 300'000};
  std::array<uint64_t, kBoundsMs.size() + 1> counts{};  // the last one: longer
  uint64_t sum_ms = 0;

  void observe(Millis took);
};

struct Counters {
  std::array<uint64_t, kDrops> drops{};
  uint64_t reports = 0;
  uint64_t windows_late = 0;
  uint64_t chunks = 0;
  uint64_t goals = 0;           // said, repetitions included
  uint64_t goals_made = 0;      // with a counter of their own
  uint64_t goals_received = 0;  // of these: shown by their device, the newest one at that time
  uint64_t offers = 0;
  uint64_t offers_unreceived = 0;  // now
  ReceiptTimes receipt_times;
  uint64_t wall_jumps = 0;
  uint64_t restores = 0;
};

// Refused commands that the audit log has: some per minute, so that nobody fills it.
struct RefusedCommands {
  Millis minute_began{0};  // mono
  uint32_t noted = 0;      // in this minute
};

struct State {
  SiteRecord site;
  Clocks clocks;
  FleetState fleet;
  CatalogueState catalogue;
  AccessState access;
  RolloutsState rollouts;
  GatesState gates;
  TelemetryState telemetry;
  Counters counters;
  Backlog backlog;  // as the last tick told it
  RefusedCommands refused_commands;
};

}  // namespace covey::engine
