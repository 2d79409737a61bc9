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
  using Devices = std::map<std::pair<DeviceId, Cohort>, monitoring::WindowCounts>;
  struct Sums {
    uint32_t devices = 0;
    monitoring::WindowCounts counts;
  };
  Devices devices;
  std::map<Cohort, Sums> cohorts;  // sums of `devices`, kept as they change
  bool closed = false;
  // What was said when it closed; empty where nothing was judged. Counts that come late change
  // nothing here.
  std::vector<SubjectVerdict> verdict;

  void add(const DeviceId& device, const Cohort& cohort, const monitoring::WindowCounts& counts);
};
using WindowId = std::pair<Digest, int64_t>;

// Which window closes next is asked of some sessions per tick; the one that does is copied in
// pieces, judged elsewhere, and closed when its verdict is back. One after the other: everything
// here is soft, a start begins anew.
struct WindowClosing {
  // The question to the sessions.
  std::optional<WindowId> asked;
  DeviceNumber asked_until = 0;
  uint64_t expected = 0;
  uint64_t reported = 0;
  // The copy; `window` stays until the verdict has come.
  std::optional<WindowId> window;
  std::shared_ptr<WindowSnapshot> copy;
  std::pair<DeviceId, Cohort> copied_until;
  uint64_t number = 0;  // of the last question
};

struct KnownSample {
  Digest manifest;
  Cohort cohort;
  uint32_t predicted = 0;
  int64_t window = 0;
  bool operator==(const KnownSample&) const = default;
};
struct KnownLabel {
  uint32_t truth = 0;
  bool matched = false;
  bool operator==(const KnownLabel&) const = default;
};
using InferenceKey = std::pair<uint64_t, uint64_t>;  // boot id, inference
struct DeviceInferences {
  std::map<InferenceKey, KnownSample> samples;
  std::deque<InferenceKey> sample_order;
  std::map<InferenceKey, KnownLabel> labels;
  std::deque<InferenceKey> label_order;
};
// (manifest, device) -> window index -> labelled and correct.
using LabelTally =
    std::map<std::pair<Digest, DeviceId>, std::map<int64_t, monitoring::DeviceLabels>>;

// Rows to be written at the end of the turn.
struct TelemetryRows {
  struct WindowKey {
    Digest manifest;
    int64_t index = 0;
    DeviceId device;
    Cohort cohort;
    auto operator<=>(const WindowKey&) const = default;
  };
  std::set<StreamKey> streams;
  std::set<TotalKey> totals;
  std::set<WindowKey> windows;
};

struct TelemetryState {
  std::map<StreamKey, StreamRecord> streams;
  uint64_t stream_order = 0;
  std::map<TotalKey, TotalRecord> totals;
  std::map<WindowId, OpenWindow> windows;
  std::map<DeviceId, DeviceInferences> inferences;
  LabelTally tally;
  AlertTracks alerts;

  // Soft.
  std::set<StreamKey> streams_heard;  // with reports since their last acknowledgement
  WindowClosing closing;
  std::vector<OpenWindow::Devices> windows_leaving;  // given back to the allocator bit by bit
  Millis last_forget{0};
};

}  // namespace covey::engine
