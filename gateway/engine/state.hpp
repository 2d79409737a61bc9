// All that the engine knows. What is durable mirrors the store row by row ("memory equals a reload
// of the store" is checked by tests/sim); what is soft is rebuilt from what devices say. Owned by
// the engine thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "deploy/signing/keys.hpp"
#include "gateway/engine/config.hpp"
#include "gateway/engine/drops.hpp"
#include "gateway/engine/messages.hpp"
#include "gateway/engine/telemetry/judgement.hpp"
#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/counts/baseline.hpp"
#include "storage/store.hpp"

namespace covey::engine {

// An artifact and what is derived from it once.
struct KnownArtifact {
  ReleaseId release;
  std::shared_ptr<const Artifact> artifact;
  monitoring::Baseline baseline;
  monitoring::Shape shape;
};

// Where the uptime of a boot lies: wall = uptime + offset, the smallest that was seen.
struct BootOffset {
  uint64_t boot_id = 0;
  Millis offset{0};
};

// Soft state: expires, is not stored.
struct Session {
  bool online = false;
  bool said_hello = false;  // since coveyd started, or since a restore was noticed
  uint32_t connection = 0;
  Millis last_heard{0};              // mono
  Millis last_heard_wall{0};         // of any message; a device's row keeps hello and status only
  std::optional<BootOffset> offset;  // of the newest boot that was heard
  std::optional<BootOffset> offset_before;  // of the one before it
  Millis last_report_observed{0};
  Millis reported_until{0};  // wall time up to which windows have come in
  Millis last_ack{0};        // mono
  Millis goal_said{0};       // mono: when a goal left that it has not shown yet; 0: none
  Millis goal_repeat = kGoalRepeatFirst;  // after this long it is said again
  uint64_t boot_before = 0;
  uint32_t boot_flaps = 0;  // two boots alternating: somebody else uses the id
};

// Deployments of one rollout, newest attempt per device.
struct RolloutIndex {
  std::map<DeviceId, uint64_t> rollout;
  std::map<DeviceId, uint64_t> rollback;
};

// rollout, stage, rollback, state of the deployments: as storage/records.hpp, CountRecord
using CountKey = std::tuple<RolloutName, uint32_t, bool, std::string>;
using StreamKey = std::tuple<DeviceId, uint64_t, Digest>;
using TotalKey = std::tuple<DeviceId, Digest, std::string>;
using AlertTracks = std::map<monitoring::AlertKey, monitoring::AlertTrack>;

// One span of wall time of one release: per device (and its cohort then).
struct OpenWindow {
  using Devices = std::map<std::pair<DeviceId, std::string>, monitoring::WindowCounts>;
  struct Cohort {
    uint32_t devices = 0;
    monitoring::WindowCounts counts;
  };
  Devices devices;
  std::map<std::string, Cohort> cohorts;  // sums of `devices`, kept as they change
  bool closed = false;

  void add(const DeviceId& device, const std::string& cohort,
           const monitoring::WindowCounts& counts);
};
using WindowId = std::pair<Digest, int64_t>;

// Which window closes next is asked of some sessions per tick; the one that does is copied in
// pieces, judged elsewhere, and closed when its verdict is back. One after the other: everything
// here is soft, a start begins anew.
struct WindowClosing {
  // The question to the sessions.
  std::optional<WindowId> asked;
  DeviceId asked_until;
  uint64_t expected = 0;
  uint64_t reported = 0;
  // The copy; `window` stays until the verdict has come.
  std::optional<WindowId> window;
  std::shared_ptr<WindowSnapshot> copy;
  std::pair<DeviceId, std::string> copied_until;
  uint64_t number = 0;  // of the last question
};

struct KnownSample {
  Digest manifest;
  std::string cohort;
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

// A device that says it has seen more than the store ever said to it.
struct AheadClaim {
  uint32_t site_epoch = 0;
  Millis made{0};  // observed
};

struct Counters {
  std::array<uint64_t, kDrops> drops{};
  uint64_t reports = 0;
  uint64_t windows_late = 0;
  uint64_t chunks = 0;
  uint64_t goals = 0;
  uint64_t wall_jumps = 0;
  uint64_t restores = 0;
};

struct State {
  SiteRecord site;
  std::map<DeviceId, Device> devices;
  std::map<std::string, TrustedKeyRecord> trusted_keys;
  TrustStore trust;
  std::map<ReleaseId, ReleaseRecord> releases;
  std::unordered_map<Digest, KnownArtifact> artifacts;
  std::map<Prefix, Digest> prefixes;
  std::map<RolloutName, Rollout> rollouts;
  std::map<std::pair<RolloutName, uint32_t>, GateRecord> gates;
  // What has not ended, the newest of each device and model, and the newest attempts of rollouts
  // that are not settled. The rest is history: the store has it (archive.cpp).
  std::map<uint64_t, Deployment> deployments;
  std::map<RolloutName, RolloutIndex> rollout_index;
  std::map<CountKey, uint32_t> counts;  // of all rollouts, settled ones too
  // The rollout that has not ended and has the device in its order (at most one per model).
  std::unordered_map<DeviceId, std::map<ModelName, RolloutName>> open_rollouts;
  std::map<std::pair<DeviceId, ModelName>, uint64_t> newest_deployment;
  std::set<uint64_t> in_progress;  // deployments that have not ended
  std::vector<AssignmentRecord> assignments;
  std::map<std::string, RequestRecord> requests;

  std::map<StreamKey, StreamRecord> streams;
  uint64_t stream_order = 0;
  std::map<TotalKey, TotalRecord> totals;
  std::map<WindowId, OpenWindow> windows;
  std::map<DeviceId, DeviceInferences> inferences;
  LabelTally tally;
  AlertTracks alerts;

  // Soft.
  std::map<DeviceId, Session> sessions;
  std::map<DeviceId, AheadClaim> ahead;
  std::set<DeviceId> reconcile_due;
  std::set<DeviceId> settings_due;  // said hello while their goal says other settings
  std::set<DeviceId> ack_due;
  std::set<StreamKey> streams_heard;  // with reports since their last acknowledgement
  std::set<uint64_t> archive_due;     // deployments that may have become history
  WindowClosing closing;
  std::vector<OpenWindow::Devices> windows_leaving;  // given back to the allocator bit by bit
  bool broker_connected = false;
  Millis started_mono{0};
  Millis connected_observed{0};  // observed time when the broker came back last
  Millis reconciling_since{0};   // observed time; the start where it was so already
  Now last_now{};
  Millis hold_until{0};  // observed time: until then nothing is deleted by the wall clock
  Millis last_tick{0};
  Millis last_gates{0};
  Millis last_sweep{0};
  Millis last_forget{0};
  double bandwidth_tokens = 0;
  Counters counters;
};

}  // namespace covey::engine
