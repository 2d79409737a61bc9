// SPDX-License-Identifier: Apache-2.0
// What a start remembers of telemetry, from rows and from the log: to be compared between an engine
// and its reload. The two differ in what an engine forgets bit by bit and a start does not load.
#pragma once

#include <map>
#include <utility>

#include "gateway/engine/engine.hpp"
#include "storage/store.hpp"

namespace covey::test {

struct Remembered {
  struct Window {
    bool closed = false;
    std::map<std::pair<DeviceId, Cohort>, monitoring::WindowCounts> devices;
    std::map<Cohort, std::pair<uint32_t, monitoring::WindowCounts>> cohorts;
    std::vector<SubjectVerdict> verdict;
    bool operator==(const Window&) const = default;
  };
  std::map<engine::WindowId, Window> windows;
  engine::LabelTally tally;
  std::map<engine::InferenceKey, std::pair<uint32_t, Millis>> waiting;  // truth, when it came

  bool operator==(const Remembered&) const = default;
};

inline Remembered remembered(const engine::State& state, const engine::EngineConfig& config,
                             Now now) {
  Remembered all;
  const int64_t newest = now.wall / config.window;
  for (const auto& [id, open] : state.telemetry.windows) {
    const bool forgettable =
        open.closed && (id.second < newest - config.windows_kept || id.second > newest + 1);
    if (forgettable) continue;
    Remembered::Window& window = all.windows[id];
    window.closed = open.closed;
    window.devices = open.devices;
    window.verdict = open.verdict;
    for (const auto& [cohort, sums] : open.cohorts) {
      window.cohorts[cohort] = {sums.devices, sums.counts};
    }
  }
  all.tally = state.telemetry.tally;
  for (const auto& [key, label] : state.telemetry.waiting.by_key) {
    all.waiting[key] = {label.truth, label.wall};
  }
  return all;
}

// The rest of a load: what rows lack.
inline Status replay(Store& store, engine::Engine& engine) {
  return store.replay(engine.state().site.reports_settled,
                      [&](const ReportRecord& report) { return engine.replay(report); });
}

}  // namespace covey::test
