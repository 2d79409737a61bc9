// SPDX-License-Identifier: Apache-2.0
// The rollouts' part of the state: who gets which release, when, and how that went. Changed by
// gateway/engine/rollouts (gates, too, for their own records) only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/deadlines.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/deployment/deployment.hpp"
#include "deploy/rollout/rollout.hpp"
#include "gateway/engine/events.hpp"
#include "gateway/engine/rollouts/walk.hpp"
#include "storage/records.hpp"

namespace covey::engine {

// The newest attempt of each device of a rollout, and how these stand (standings.hpp).
struct Attempts {
  std::map<DeviceId, uint64_t> newest;
  // Queued, oldest first: whose device was here when somebody looked last, and the others.
  std::set<uint64_t> here;
  std::set<uint64_t> away;
  std::set<uint64_t> flying;    // offered and not ended
  std::set<uint64_t> unproven;  // not CONFIRMED, and its device has not left
  std::set<uint64_t> retried;   // ended, and another attempt follows
  std::set<uint64_t> awaited;   // all of the above that may still end well
  uint32_t with_previous = 0;
  uint32_t first_models = 0;  // proven, and their device had no release before
  uint32_t left = 0;          // their devices have left (deployment.hpp)
  uint64_t witness = 0;       // of `awaited`: whose device was here when somebody looked last

  uint32_t waiting() const {
    return static_cast<uint32_t>(here.size() + away.size() + retried.size());
  }
};
// Of a rollout that is not settled.
struct RolloutIndex {
  Attempts rollout;
  Attempts rollback;
  std::set<DeviceId> held;  // the holdback
  Millis judged{0};         // mono: when its gates were asked last
  // What goes on over many devices, some per tick.
  Walk back;           // ROLLING_BACK: who gets what it had before
  Walk fleet;          // whose assignment comes or goes
  uint32_t kept = 0;   // by these walks: had no release before, and keeps this one
  uint32_t newer = 0;  // the same: got something newer since
  uint32_t freed = 0;  // ended: devices of the order that others may have
};

// A device that fetches, and its part of the site's bandwidth (transfer.cpp).
struct Download {
  double credit = 0;       // bytes; below zero: on credit
  Millis earned_until{0};  // mono
  Millis heard{0};         // mono
  Millis refused{0};       // mono: when it was told last to come again
  // What was sent last, and when (mono): a repetition just after it is an echo.
  Digest manifest;
  uint32_t first = 0;
  uint32_t bitmap = 0;
  Millis sent{0};
};

// How fast chunks leave, how many wait, and what is admitted therefore (flow.cpp).
struct Flow {
  ChunkFlow seen;            // at the last look
  Millis seen_at{0};         // mono
  uint64_t given = 0;        // since then
  double chunks_per_s = 0;   // as measured while some waited; 0: never yet
  double transfers_max = 0;  // at once; 0: the first look sets it
  Millis lowered_at{0};      // mono
  // Chunks of those who were told to come again, less what the link could carry meanwhile.
  double promised = 0;
};

// How fast devices show what they are offered, and how many are offered more therefore
// (receipts.cpp).
struct Telling {
  std::deque<std::pair<Millis, uint64_t>> told;  // mono, deployment: of the last seconds
  std::set<uint64_t> awaited;                    // of these: not shown yet
  uint64_t shown = 0;                            // since the last look
  Millis seen_at{0};                             // mono: the last look
  double shown_per_s = 0;                        // as measured while some were awaited
  double left = 0;                               // that may be offered now
};

// rollout, stage, rollback, state of the deployments: as storage/records.hpp, CountRecord
using CountKey = std::tuple<RolloutName, uint32_t, bool, std::string>;

// rollout, stage, rollback
using StageKey = std::tuple<RolloutName, uint32_t, bool>;

// Rows to be written at the end of the turn.
struct RolloutRows {
  std::set<uint64_t> deployments;
  std::set<RolloutName> rollouts;
  std::set<CountKey> counts;
};

// Which rollouts that are over go: what still needs them is looked for bit by bit, then they go one
// by one.
struct History {
  bool going_on = false;
  Millis began{0};            // mono
  uint64_t looked_until = 0;  // of the deployments
  std::set<RolloutName> needed;
  std::deque<RolloutName> leaving;
  Millis last_left{0};  // mono
};

struct RolloutsState {
  std::map<RolloutName, Rollout> by_name;
  std::map<std::pair<RolloutName, uint32_t>, GateRecord> gates;
  // What has not ended, the newest of each device and model, and the newest attempts of rollouts
  // that are not settled. The rest is history: the store has it (archive.cpp).
  std::map<uint64_t, Deployment> deployments;
  std::map<RolloutName, RolloutIndex> attempts;  // not of settled ones
  std::map<CountKey, uint32_t> counts;           // of all rollouts, settled ones too
  // The rollout that has not ended and has the device in its order (at most one per model). Those
  // of one that has ended just now may still be here: ask open_rollout_of().
  std::unordered_map<DeviceId, std::map<ModelName, RolloutName>> open_rollouts;
  std::map<std::pair<DeviceId, ModelName>, uint64_t> newest_deployment;
  std::set<uint64_t> in_progress;  // deployments that have not ended
  std::vector<AssignmentRecord> assignments;
  std::map<std::string, RequestRecord> requests;

  // Derived from the above: by_name may hold years of rollouts, these only what is going on.
  std::set<RolloutName> open;            // have not ended
  std::set<RolloutName> unsettled;       // have, and may be rolled back
  std::set<RolloutName> ending;          // have, and something is left to do (ending.cpp)
  std::set<ReleaseId> settled_releases;  // of rollouts that succeeded and are settled
  uint32_t assignments_in_progress = 0;
  std::set<uint64_t> transfers;   // deployments that are offered or downloading
  std::set<uint64_t> unreceived;  // offered, and their devices have not shown the goal yet
  std::map<StageKey, uint32_t> unreceived_counts;
  std::map<uint64_t, std::string> requests_by_age;  // sequence -> id

  // Soft.
  Deadlines<uint64_t> expiries;                    // observed: of deployments in progress
  std::unordered_map<uint64_t, Millis> expiry_at;  // the entry there that counts
  Deadlines<uint64_t> retries;                     // observed: of attempts that ended
  Deadlines<DeviceId> reconcile_later;             // observed
  std::set<DeviceId> reconcile_due;
  Walk around;                                        // over the fleet, again and again
  std::vector<std::map<DeviceId, uint64_t>> leaving;  // attempts of rollouts that were settled
  std::set<uint64_t> archive_due;                     // deployments that may have become history
  History history;
  RolloutName judged_last;
  double bandwidth_tokens = 0;
  Flow flow;
  Telling telling;
  std::map<DeviceId, Download> downloads;
  Millis downloads_swept{0};  // mono
  uint64_t offer_credit = 0;  // thousandths of an offer
};

}  // namespace covey::engine
