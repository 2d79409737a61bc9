// SPDX-License-Identifier: Apache-2.0
// Telemetry's part of the state: what devices have counted, labels, alerts. Changed by
// gateway/engine/telemetry only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/deadlines.hpp"
#include "core/id.hpp"
#include "gateway/engine/fleet/state.hpp"
#include "gateway/engine/telemetry/judgement.hpp"
#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/alerts/alert.hpp"
#include "storage/records.hpp"

namespace covey::engine {

using StreamKey = std::tuple<DeviceId, uint64_t, Digest>;
using TotalKey = std::tuple<DeviceId, Digest, Cohort>;
using AlertTracks = std::map<monitoring::AlertKey, monitoring::AlertTrack>;

// One span of wall time of one release: per device (and its cohort then).
struct OpenWindow {
  struct Sums {
    uint32_t devices = 0;
    monitoring::WindowCounts counts;
  };
  using Devices = std::map<std::pair<DeviceId, Cohort>, monitoring::WindowCounts>;
  Devices devices;
  std::map<Cohort, Sums> cohorts;  // sums of `devices`, kept as they change
  bool closed = false;
  // What was said when it closed; empty where nothing was judged. Counts that come late change
  // nothing here.
  std::vector<SubjectVerdict> verdict;
  uint32_t unsettled = 0;  // of `devices`: their rows are behind

  // The device's counts and its cohort's, made where they are not there yet.
  std::pair<monitoring::WindowCounts*, Sums*> entry(const DeviceId& device, const Cohort& cohort);
};
using WindowId = std::pair<Digest, int64_t>;

// What a device has a part in, found without looking for its names again, and whether its rows are
// behind. The records are nodes of the maps below.
struct StreamUse {
  StreamRecord* record = nullptr;
  bool heard = false;  // since its last acknowledgement
  bool behind = false;
};
struct TotalUse {
  TotalRecord* record = nullptr;
  bool behind = false;
};
struct WindowUse {
  WindowId id;
  Cohort cohort;
  OpenWindow* window = nullptr;
  monitoring::WindowCounts* counts = nullptr;
  OpenWindow::Sums* sums = nullptr;
  bool behind = false;
  bool revised = false;  // counts came after the window had closed
};
struct DeviceTelemetry {
  std::vector<StreamUse> streams;
  std::vector<TotalUse> totals;
  std::vector<WindowUse> windows;  // those it was heard in lately
  uint64_t windows_forgotten = 0;  // of TelemetryState, when `windows` was looked through
  uint64_t unsettled = 0;          // position of its first report that its rows lack; 0: none
  bool settling = false;           // at the end of this turn
  uint32_t unacknowledged = 0;     // reports since its last acknowledgement
  Millis last_ack{0};              // mono
  Millis ack_at{0};                // mono: its entry in TelemetryState::acks; 0: none
};
// Whose rows are behind since which report; stale when the device was settled since.
struct Unsettled {
  uint64_t position = 0;
  Millis since{0};  // mono
  DeviceNumber device = 0;
};

// Which window closes next is asked of some sessions per tick; the one that does is copied in
// pieces, judged elsewhere, and closed when its verdict is back. One after the other: everything
// here is soft, a start begins anew.
struct WindowClosing {
  // The question to the sessions.
  std::optional<WindowId> asked;
  DeviceNumber asked_until = 0;
  uint64_t expected = 0;
  uint64_t reported = 0;
  Millis nothing_due_at{0};  // mono
  // The copy; `window` stays until the verdict has come.
  std::optional<WindowId> window;
  std::shared_ptr<WindowSnapshot> copy;
  std::pair<DeviceId, Cohort> copied_until;
  uint64_t number = 0;  // of the last question
};

struct KnownSample {
  Digest manifest;
  uint32_t predicted = 0;
  Millis at{0};
};
struct KnownLabel {
  uint32_t truth = 0;
  bool matched = false;
};
using InferenceKey = std::tuple<DeviceId, uint64_t, uint64_t>;  // device, boot id, inference
// Labels whose sample has not come, all that the store has of them.
struct WaitingLabel {
  uint32_t truth = 0;
  Millis wall{0};      // when it came
  uint64_t order = 0;  // among all that came
  ModelName model;     // that it was said to be about
};
struct WaitingLabels {
  std::map<InferenceKey, WaitingLabel> by_key;
  std::map<uint64_t, InferenceKey> by_order;
  uint64_t next = 0;
};
using RecentOrder = std::deque<std::pair<Millis, InferenceKey>>;  // mono
// What came lately: the store knows the rest (SubmitLabels says what). Soft.
struct RecentInferences {
  std::map<InferenceKey, KnownSample> samples;
  std::map<InferenceKey, KnownLabel> labels;  // matched ones
  RecentOrder sample_order;
  RecentOrder label_order;
};
// (manifest, device) -> start of a span of wall time, in milliseconds -> labelled and correct.
using LabelTally =
    std::map<std::pair<Digest, DeviceId>, std::map<int64_t, monitoring::DeviceLabels>>;

// Rows to be written at the end of the turn.
struct TelemetryRows {
  std::vector<DeviceNumber> devices;  // all that is behind
  std::set<WindowId> revised;         // whose cohorts are
  std::set<std::tuple<Digest, DeviceId, int64_t>> tallies;
};

// Whether a release that an alert is about still runs somewhere: asked of some devices per tick.
struct ScopesLook {
  Millis began{0};  // mono
  std::vector<monitoring::AlertKey> open;
  std::optional<DeviceId> looked_until;
  std::set<std::string> running;
};

struct TelemetryState {
  std::map<StreamKey, StreamRecord> streams;
  std::map<TotalKey, TotalRecord> totals;
  std::map<WindowId, OpenWindow> windows;
  WaitingLabels waiting;
  LabelTally tally;
  AlertTracks alerts;

  // Soft.
  std::deque<DeviceTelemetry> devices;  // by number; those that were heard or have rows
  std::deque<Unsettled> unsettled;      // the oldest first
  uint64_t windows_forgotten = 0;
  Deadlines<DeviceNumber> acks;
  RecentInferences recent;
  WindowClosing closing;
  ScopesLook scopes;
  std::vector<OpenWindow::Devices> windows_leaving;  // given back to the allocator bit by bit
  Millis last_forget{0};
  Millis windows_looked_at{0};  // mono: for those that are due or past
};

}  // namespace covey::engine
