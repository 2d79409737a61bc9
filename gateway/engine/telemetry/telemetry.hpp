// SPDX-License-Identifier: Apache-2.0
// Reports, windows, labels and alerts. What this room offers to the others; it alone changes
// TelemetryState. Engine thread.
#pragma once

#include <string>
#include <vector>

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- reports.cpp

void on_report(Turn& turn, DeviceNumber number, const ReportMessage& report, Bytes payload);
Cohort cohort_of(const State& state, const Device& device, const Digest& manifest);

// ---- settling.cpp

// Rows, at the end of the turn.
void write_telemetry(Turn& turn);
// Writes the rows of some devices that are behind. Every tick.
void settle_some(Turn& turn);
// Every report up to this position is in its device's rows.
uint64_t settled_reports(const State& state);
// At the start, in the log's order: counts what the rows lack.
void replay_report(State& state, const EngineConfig& config, Millis now, const ReportRecord& row,
                   const ReportMessage& report);

// The device is removed: what it counted leaves the sums, but for windows, which age out.
void forget_device(Turn& turn, DeviceNumber number, const DeviceId& id);

// ---- totals.cpp

void add(TotalRecord& to, const TotalRecord& from);

// ---- acks.cpp

// A hello is answered at once; a status when the last answer is not too near.
void acknowledge_now(Turn& turn, const Device& device);
void acknowledge_soon(Turn& turn, const Device& device);
// A report came: with half the credit used as a status, else within ack_interval.
void acknowledge_report(Turn& turn, DeviceNumber number);
void flush_acks(Turn& turn);

// ---- windows.cpp

void close_windows(Turn& turn);
void on_window_judged(Turn& turn, const WindowVerdict& verdict);
// A closed window's rows of its cohorts; late counts revise them.
void write_cohorts(Turn& turn, const WindowId& id, const OpenWindow& window, bool revised);
// Closes what is open without a judgement: its time is not what it was.
void abandon_windows(Turn& turn);
void forget_old(Turn& turn);

// ---- labels.cpp

Result<CommandReply> submit_labels(Turn& turn, const SubmitLabels& command);
void add_sample(Turn& turn, const SampleRecord& sample);
// Labels, samples and tallies of before are forgotten: their retention, and not while a rollout
// that goes on is judged by them.
Millis labels_before(const Turn& turn);
void forget_labels(Turn& turn, Millis before, Millis after);
// Rows, at the end of the turn.
void write_tallies(Turn& turn);

// ---- alerts.cpp

void apply_verdict(Turn& turn, const Digest& manifest, const WindowVerdict& verdict);
// Alerts about a release that no device runs any more are resolved.
void resolve_alerts_of_the_past(Turn& turn);
// Those that were resolved before.
void forget_alerts(Turn& turn, Millis before);
void raise_duplicate_identity(Turn& turn, const Device& device);
// Weeks before the end of what the gateway shows, which is renewed long before that. Every sweep.
void judge_certificate(Turn& turn, Millis until);
// False: nobody is told, because that alert fires, or the device has had its share of them.
bool raise_ahead_of_site(Turn& turn, const Device& device, const std::string& seen);
void resolve_ahead_of_site(Turn& turn, const DeviceId& device, const std::string& why);
void resolve_duplicate_identity(Turn& turn, const Device& device);
// A device that was refused more than others lately.
struct OverBudget {
  DeviceNumber device = 0;
  uint64_t refused = 0;
  Spend last = Spend::kReports;
};
// Those few get an alert; who was refused nothing for a while has none any more.
void alert_over_budget(Turn& turn, const std::vector<OverBudget>& worst);
Result<CommandReply> acknowledge_alert(Turn& turn, const AcknowledgeAlert& command,
                                       const std::string& actor);

}  // namespace covey::engine
