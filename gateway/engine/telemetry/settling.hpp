// SPDX-License-Identifier: Apache-2.0
// Rows behind the log. A report is durable by its own row; the rows that sum it up (its stream,
// totals and window) follow within seconds, all of a device in one transaction, so that the
// stream's mark says of each report whether its device's rows have it. What changes without a row
// in the log (a new stream, a duplicate, counts for a closed window) is settled in the same turn.
// A start replays the log from SiteRecord::reports_settled on: docs/adr/0024. Telemetry's own
// sources only; engine thread.
#pragma once

#include <string>

#include "gateway/engine/telemetry/state.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// As it stands, or a new one.
DeviceTelemetry& device_telemetry(TelemetryState& telemetry, DeviceNumber number);
// nullptr: none
StreamUse* find_stream(DeviceTelemetry& device, uint64_t boot_id, const Digest& manifest);
// As it stands, the one for what has none of its own, or a new one.
TotalUse& total_of(TelemetryState& telemetry, DeviceTelemetry& device, const DeviceId& id,
                   const Digest& manifest, const Cohort& cohort);
TotalUse& new_total(TelemetryState& telemetry, DeviceTelemetry& device, const DeviceId& id,
                    const Digest& manifest, const Cohort& cohort);
// Totals stay for ever, so a device has a bounded number of them: what is beyond is added to the
// one of no manifest.
inline constexpr Digest kOtherManifests{};
WindowUse& window_of(TelemetryState& telemetry, DeviceTelemetry& device, const DeviceId& id,
                     const WindowId& window, const Cohort& cohort);

// What an admitted report adds to its device's total and window, when it comes and when it is
// replayed. nullptr: it has no window.
WindowUse* count_report(TelemetryState& telemetry, DeviceTelemetry& device, const ReportRecord& row,
                        const ReportMessage& report, bool quarantined, uint64_t lost,
                        Millis window_length);
monitoring::Admission admit(monitoring::StreamWatermark& mark, const ReportMessage& report,
                            bool checked);

// ---- totals.cpp

// Before a report or duplicate is counted: its total, where it is to have one of its own. What that
// changes is settled in this turn.
void make_room_for_total(Turn& turn, DeviceNumber number, const ReportRecord& row);

// The device's rows lack the report at `position`.
void fall_behind(TelemetryState& telemetry, DeviceNumber number, uint64_t position, Millis since);
// Its rows are written at the end of this turn.
void settle(Turn& turn, DeviceNumber number);

}  // namespace covey::engine
