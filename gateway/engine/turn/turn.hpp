// SPDX-License-Identifier: Apache-2.0
// One call of Engine::handle(): the state, the time, and what has been decided so far. The parts of
// the engine (enrolment, goals, transfer, rollouts, telemetry, ...) are functions over a Turn.
// Rows that changed are noted and written once, at the end of the turn.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "gateway/engine/events.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

class Turn {
 public:
  Turn(State& all, const EngineConfig& site_config, Now time)
      : state(all), config(site_config), now(time), all_(all) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  const State& state;
  const EngineConfig& config;
  const Now now;
  Output out{};

  // Rows that changed, by room; each room writes its own at the end of the turn.
  FleetRows fleet_rows{};
  RolloutRows rollout_rows{};
  TelemetryRows telemetry_rows{};
  bool dirty_site = false;

  void write(Write write) { out.writes.push_back(std::move(write)); }
  void emit(Effect effect) { out.after_commit.push_back(std::move(effect)); }
  void urgent() { out.urgent = true; }
  void drop(Drop reason) { ++all_.counters.drops[static_cast<size_t>(reason)]; }
  Counters& counters() { return all_.counters; }

  uint64_t number_report() { return ++all_.site.report_sequence; }
  // The row will be written at the end of the turn.
  SiteRecord& change_site() {
    dirty_site = true;
    urgent();
    return all_.site;
  }
  uint64_t next_deployment_number() { return ++all_.site.deployment_number; }
  // The next entry of the audit log: number, time and hashes are put in here.
  void note_audit(AuditRecord entry);
  // There is room in the audit log for one more command that was refused.
  bool may_note_refusal();
  void event(const RolloutName& rollout, std::string kind, std::string subject, std::string text);
  void log(LogLine::Level level, std::string event, std::string subject, std::string text);

 private:
  // Each room changes its own part, by its own.hpp; the door and the turn itself all of it.
  friend State& own_all(Turn& turn);
  friend FleetState& own_fleet(Turn& turn);
  friend CatalogueState& own_catalogue(Turn& turn);
  friend AccessState& own_access(Turn& turn);
  friend RolloutsState& own_rollouts(Turn& turn);
  friend GatesState& own_gates(Turn& turn);
  friend TelemetryState& own_telemetry(Turn& turn);

  State& all_;
};

// Writes all rows that were noted, the site row last. Called once, at the end.
void finish(Turn& turn);

// How much later devices should come again while a queue before the engine is that full; nullopt:
// it has room. Said long before anything must be dropped.
std::optional<Millis> come_later(uint32_t percent);

// ---- clocks.cpp

Millis grace(const EngineConfig& config);
// Coveyd or its broker came back just now: devices have had no time to say what happened meanwhile,
// so nothing that waits for their word expires yet.
bool in_grace(const Turn& turn);
// Observed time is stored with whatever row comes; where none does, in a row of its own now and
// then: no revision, nothing that anybody could see. A crash makes soak and deadlines that much
// longer, never shorter (docs/adr/0020-soak-is-a-mark.md).
void keep_observed_time(Turn& turn);
// A step of the wall clock: counted, reported, and what goes by it is held.
void notice_wall_clock(Turn& turn);
bool schedules_held(const State& state);

}  // namespace covey::engine
