// SPDX-License-Identifier: Apache-2.0
// Windows of a fleet: when one closes, and what is written about it. Everything that grows with the
// fleet happens in pieces of a bounded size, one per tick; the statistics happen elsewhere.
#include <algorithm>

#include "core/limits.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr Ratio kReportedEnough = Ratio::percent(90);
constexpr Millis kWindowsLookedAtEvery = 1s;

Millis end_of(const Turn& turn, const WindowId& id) { return (id.second + 1) * turn.config.window; }

bool runs(const Device& device, const Digest& manifest) {
  return std::any_of(device.models.begin(), device.models.end(),
                     [&](const auto& entry) { return entry.second.reported.active == manifest; });
}

// The first open window after `after` whose time is over, then from the start again.
std::optional<WindowId> next_due(const Turn& turn, const std::optional<WindowId>& after) {
  const auto& windows = turn.state.telemetry.windows;
  const auto is_due = [&](const auto& entry) {
    return !entry.second.closed && turn.now.wall >= end_of(turn, entry.first);
  };
  const auto from = after ? windows.upper_bound(*after) : windows.begin();
  if (const auto found = std::find_if(from, windows.end(), is_due); found != windows.end()) {
    return found->first;
  }
  const auto found = std::find_if(windows.begin(), from, is_due);
  return found == from ? std::nullopt : std::optional(found->first);
}

// A window closes when 90 % of the devices that are online have reported past its end, or after two
// report intervals (docs/design/monitoring.md, "When a window closes"). Asks a part of the
// sessions; true: it closes.
bool ask_sessions(Turn& turn) {
  const State& state = turn.state;
  WindowClosing& closing = own_telemetry(turn).closing;
  const auto open = closing.asked ? own_telemetry(turn).windows.find(*closing.asked)
                                  : own_telemetry(turn).windows.end();
  if (open == own_telemetry(turn).windows.end() || open->second.closed) {
    // Windows end at full spans: no need to look through them at each tick.
    if (turn.now.mono - closing.nothing_due_at < kWindowsLookedAtEvery) return false;
    closing.asked = next_due(turn, closing.asked);
    closing.asked_until = 0;
    closing.expected = 0;
    closing.reported = 0;
    if (!closing.asked) {
      closing.nothing_due_at = turn.now.mono;
      return false;
    }
  }
  const WindowId id = *closing.asked;
  const Millis end = end_of(turn, id);
  if (turn.now.wall >= end + 2 * turn.config.report_interval) return true;
  const FleetState& fleet = state.fleet;
  for (size_t n = 0; n < kSessionsAskedPerTick && closing.asked_until < fleet.by_number.size();
       ++n, ++closing.asked_until) {
    const Session& session = fleet.sessions[closing.asked_until];
    if (!session.online || !runs(*fleet.by_number[closing.asked_until], id.first)) continue;
    ++closing.expected;
    if (session.reported_until >= end) ++closing.reported;
  }
  if (closing.asked_until < fleet.by_number.size()) return false;
  const bool enough =
      closing.expected > 0 && !exceeds(closing.expected - closing.reported, closing.expected,
                                       Ratio{1'000'000 - kReportedEnough.ppm});
  if (enough) return true;
  // The next one's turn; this one's comes again.
  closing.asked = next_due(turn, id);
  closing.asked_until = 0;
  closing.expected = 0;
  closing.reported = 0;
  return false;
}

void close(Turn& turn, const WindowId& id) {
  OpenWindow& window = own_telemetry(turn).windows.at(id);
  window.closed = true;
  write_cohorts(turn, id, window, false);
}

void begin_copy(Turn& turn, const WindowId& id) {
  WindowClosing& closing = own_telemetry(turn).closing;
  const monitoring::Baseline& baseline = turn.state.catalogue.artifacts.at(id.first).baseline;
  closing.window = id;
  closing.copied_until = {};
  closing.copy = std::make_shared<WindowSnapshot>();
  closing.copy->number = ++closing.number;
  closing.copy->manifest = id.first;
  closing.copy->index = id.second;
  closing.copy->drift = turn.config.drift;
  closing.copy->localise = turn.config.localise;
  closing.copy->subjects = monitoring::subjects_of(baseline);
}

void copy_device(WindowSnapshot& copy, const DeviceId& device,
                 const monitoring::WindowCounts& counts) {
  // A device counts once, whatever cohorts it was in: they are neighbours.
  const bool again = !copy.devices.empty() && copy.devices.back() == device;
  if (!again) copy.devices.push_back(device);
  for (monitoring::JudgedSubject& subject : copy.subjects) {
    const monitoring::Counts& from = monitoring::histogram_of(counts, subject);
    const uint64_t missing = monitoring::missing_of(counts, subject);
    if (again) {
      monitoring::add(subject.devices.back(), from);
      subject.missing.back() += missing;
    } else {
      subject.devices.push_back(from);
      subject.missing.push_back(missing);
    }
  }
}

// Counts that come after their device was copied are late: they revise, and do not judge again.
void copy_some(Turn& turn) {
  WindowClosing& closing = own_telemetry(turn).closing;
  const OpenWindow& window = own_telemetry(turn).windows.at(*closing.window);
  auto next = window.devices.upper_bound(closing.copied_until);
  for (size_t n = 0; n < kDevicesCopiedPerTick && next != window.devices.end(); ++n, ++next) {
    copy_device(*closing.copy, next->first.first, next->second);
    closing.copied_until = next->first;
  }
  if (next == window.devices.end()) turn.emit(JudgeWindow{std::exchange(closing.copy, nullptr)});
}

void forget_windows_of_the_past(Turn& turn) {
  const int64_t newest = turn.now.wall / turn.config.window;
  const int64_t oldest = newest - turn.config.windows_kept;
  for (auto it = own_telemetry(turn).windows.begin(); it != own_telemetry(turn).windows.end();) {
    const auto& [manifest, index] = it->first;
    // Behind the windows that late counts may revise, or of a time that a stepped clock took back.
    const bool past = it->second.closed && (index < oldest || index > newest + 1);
    // Not while rows of it are still to be written.
    if (past && it->second.unsettled == 0 && !turn.telemetry_rows.revised.contains(it->first)) {
      ++own_telemetry(turn).windows_forgotten;
      own_telemetry(turn).windows_leaving.push_back(std::move(it->second.devices));
      it = own_telemetry(turn).windows.erase(it);
    } else {
      ++it;
    }
  }
}

void forget_windows(Turn& turn) {
  if (turn.now.mono - own_telemetry(turn).windows_looked_at >= kWindowsLookedAtEvery) {
    own_telemetry(turn).windows_looked_at = turn.now.mono;
    forget_windows_of_the_past(turn);
  }
  for (size_t n = 0; n < kDevicesForgottenPerTick && !own_telemetry(turn).windows_leaving.empty();
       ++n) {
    OpenWindow::Devices& leaving = own_telemetry(turn).windows_leaving.back();
    if (!leaving.empty()) leaving.erase(leaving.begin());
    if (leaving.empty()) own_telemetry(turn).windows_leaving.pop_back();
  }
}

}  // namespace

std::pair<monitoring::WindowCounts*, OpenWindow::Sums*> OpenWindow::entry(const DeviceId& device,
                                                                          const Cohort& cohort) {
  const auto [found, first] = devices.try_emplace({device, cohort});
  Sums& sums = cohorts[cohort];
  if (first) ++sums.devices;
  return {&found->second, &sums};
}

void write_cohorts(Turn& turn, const WindowId& id, const OpenWindow& window, bool revised) {
  for (const auto& [cohort, sums] : window.cohorts) {
    turn.write(PutWindow{{.manifest = id.first,
                          .cohort = cohort,
                          .device = DeviceId(),
                          .index = id.second,
                          .start = id.second * turn.config.window,
                          .length = turn.config.window,
                          .devices = sums.devices,
                          .closed = true,
                          .revised = revised,
                          .counts = sums.counts,
                          .verdict = window.verdict}});
  }
}

void abandon_windows(Turn& turn) {
  for (const auto& [id, window] : own_telemetry(turn).windows) {
    if (!window.closed) close(turn, id);
  }
  own_telemetry(turn).closing.window.reset();
  own_telemetry(turn).closing.copy.reset();
  own_telemetry(turn).closing.asked.reset();
}

void close_windows(Turn& turn) {
  WindowClosing& closing = own_telemetry(turn).closing;
  if (closing.copy) {
    copy_some(turn);
  } else if (!closing.window && ask_sessions(turn)) {
    const WindowId id = *closing.asked;
    if (turn.config.drift_enabled) {
      begin_copy(turn, id);
      copy_some(turn);
    } else {
      close(turn, id);
    }
  }
  forget_windows(turn);
}

void on_window_judged(Turn& turn, const WindowVerdict& verdict) {
  WindowClosing& closing = own_telemetry(turn).closing;
  // Of a window that was closed without a judgement since.
  if (!closing.window || closing.copy || verdict.number != closing.number) {
    return turn.drop(Drop::kVerdictStale);
  }
  const WindowId id = *std::exchange(closing.window, std::nullopt);
  own_telemetry(turn).windows.at(id).verdict = verdict.subjects;
  close(turn, id);
  apply_verdict(turn, id.first, verdict);
}

void forget_old(Turn& turn) {
  if (schedules_held(turn.state)) return;
  const Millis before = turn.now.wall - turn.config.retention;
  const Millis labels = labels_before(turn);
  const uint64_t entries = turn.state.site.audit_sequence;
  // Of a time that has not been: only a wrong clock or a device's lie puts it there.
  const Millis after = turn.now.wall + kClockSlack;
  turn.write(Forget{.windows_before = before,
                    .reports_before = before,
                    .labels_before = labels,
                    .alerts_before = before,
                    .attempts_before = before,
                    .audit_before = turn.now.wall - turn.config.history_retention,
                    .audit_up_to = entries > kAuditEntriesMax ? entries - kAuditEntriesMax : 0,
                    .after = after});
  forget_labels(turn, labels, after);
  forget_alerts(turn, before);
}

}  // namespace covey::engine
