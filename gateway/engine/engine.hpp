// SPDX-License-Identifier: Apache-2.0
// The gateway's mind: every decision about devices, rollouts and telemetry, without any I/O.
// handle() takes a batch of events and gives what must be written in one transaction and what may
// leave once that is durable ("persist, then speak",
// docs/design/time-and-persistence.md, "Persist, then speak"). The same engine runs in coveyd
// (gateway/runtime) and in the simulator (tests/sim).
// Threading: one thread owns an Engine; const functions too are called on that thread only.
#pragma once

#include <memory>
#include <span>

#include "core/result.hpp"
#include "core/time.hpp"
#include "gateway/engine/events.hpp"
#include "gateway/engine/report_reader.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

class Engine {
 public:
  // Errors: STORE_INCONSISTENT where rows contradict each other: restore a backup.
  static Result<Engine> load(Snapshot snapshot, const EngineConfig& config, Now now,
                             std::shared_ptr<ReportReader> reader);

  // After load() and before the first event, for each report above settled_reports(), in order.
  // Errors: STORE_INCONSISTENT.
  Status replay(const ReportRecord& row);

  // Takes what it needs out of the events: they are used up.
  Output handle(std::span<Event> batch, Now now);

  const State& state() const { return state_; }
  const EngineConfig& config() const { return config_; }
  uint64_t revision() const { return state_.site.revision; }
  // The durable part of the state as the store would load it.
  Snapshot snapshot() const;

 private:
  Engine(State state, const EngineConfig& config, std::shared_ptr<ReportReader> reader)
      : state_(std::move(state)), config_(config), reader_(std::move(reader)) {}

  State state_;
  EngineConfig config_;
  std::shared_ptr<ReportReader> reader_;
  ReportMessage report_;  // read into, again and again
};

// The first state of a new data directory; `secret` is number 1, random, and sealed.
std::vector<Write> new_site(Bytes sealed, Millis wall);

}  // namespace covey::engine
