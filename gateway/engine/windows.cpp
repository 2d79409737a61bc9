#include <algorithm>

#include "gateway/engine/turn.hpp"

namespace covey::engine {
namespace {

constexpr Ratio kReportedEnough = Ratio::percent(90);

// A window closes when 90 % of the devices that are online have reported past its end, or after two
// report intervals (MONITORING.md section 3).
bool may_close(const Turn& turn, const Digest& manifest, int64_t index) {
  const Millis end = (index + 1) * turn.config.window;
  if (turn.now.wall < end) return false;
  if (turn.now.wall >= end + 2 * turn.config.report_interval) return true;
  uint64_t expected = 0;
  uint64_t reported = 0;
  for (const auto& [id, session] : turn.state.sessions) {
    if (!session.online) continue;
    const auto device = turn.state.devices.find(id);
    if (device == turn.state.devices.end()) continue;
    const auto& models = device->second.models;
    if (std::none_of(models.begin(), models.end(),
                     [&](const auto& entry) { return entry.second.reported.active == manifest; })) {
      continue;
    }
    ++expected;
    if (session.reported_until >= end) ++reported;
  }
  return expected > 0 &&
         !exceeds(expected - reported, expected, Ratio{1'000'000 - kReportedEnough.ppm});
}

void write_cohorts(Turn& turn, const Digest& manifest, int64_t index, const OpenWindow& window,
                   bool revised) {
  std::map<std::string, WindowRecord> cohorts;
  for (const auto& [key, counts] : window.devices) {
    WindowRecord& record = cohorts[key.second];
    record.cohort = key.second;
    ++record.devices;
    monitoring::merge(record.counts, counts);
  }
  for (auto& [name, record] : cohorts) {
    record.manifest = manifest;
    record.index = index;
    record.start = index * turn.config.window;
    record.length = turn.config.window;
    --record.devices;  // WindowRecord counts from 1
    record.closed = true;
    record.revised = revised;
    turn.write(PutWindow{std::move(record)});
  }
}

void close(Turn& turn, const Digest& manifest, int64_t index, OpenWindow& window) {
  window.closed = true;
  write_cohorts(turn, manifest, index, window, false);
  for (const auto& [key, counts] : window.devices) {
    turn.dirty_windows.insert({manifest, index, key.first, key.second});
  }
}

}  // namespace

void abandon_windows(Turn& turn) {
  for (auto& [key, window] : turn.state.windows) {
    if (!window.closed) close(turn, key.first, key.second, window);
  }
}

void close_windows(Turn& turn) {
  State& state = turn.state;
  // Late counts revise what was stored about a closed window.
  std::set<std::pair<Digest, int64_t>> late;
  for (const Turn::WindowKey& key : turn.dirty_windows) {
    const auto found = state.windows.find({key.manifest, key.index});
    if (found != state.windows.end() && found->second.closed) late.insert(found->first);
  }
  for (const auto& key : late) {
    write_cohorts(turn, key.first, key.second, state.windows.at(key), true);
  }
  const int64_t newest = turn.now.wall / turn.config.window;
  const int64_t oldest = newest - turn.config.windows_kept;
  for (auto it = state.windows.begin(); it != state.windows.end();) {
    const auto& [manifest, index] = it->first;
    OpenWindow& window = it->second;
    if (!window.closed && may_close(turn, manifest, index)) {
      close(turn, manifest, index, window);
      if (turn.config.drift_enabled) judge_drift(turn, manifest, window);
    }
    // Behind the windows that late counts may revise, or of a time that a stepped clock took back.
    const bool forget = window.closed && (index < oldest || index > newest + 1);
    if (forget) {
      // Still to be written in this turn: keep it for one more.
      const bool noted =
          std::any_of(turn.dirty_windows.begin(), turn.dirty_windows.end(),
                      [&manifest = manifest, &index = index](const Turn::WindowKey& key) {
                        return key.manifest == manifest && key.index == index;
                      });
      if (!noted) {
        it = state.windows.erase(it);
        continue;
      }
    }
    ++it;
  }
}

void forget_old(Turn& turn) {
  if (schedules_held(turn.state)) return;
  const Millis before = turn.now.wall - turn.config.retention;
  turn.write(Forget{.windows_before = before, .reports_before = before});
  for (auto& [key, windows] : turn.state.tally) {
    windows.erase(windows.begin(), windows.lower_bound(before / turn.config.window));
  }
}

}  // namespace covey::engine
