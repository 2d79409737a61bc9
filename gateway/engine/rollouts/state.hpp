// The rollouts' part of the state: who gets which release, when, and how that went. Changed by
// gateway/engine/rollouts (gates, too, for their own records) only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/deployment/deployment.hpp"
#include "deploy/rollout/rollout.hpp"
#include "storage/records.hpp"

namespace covey::engine {

// Deployments of one rollout, newest attempt per device.
struct RolloutIndex {
  std::map<DeviceId, uint64_t> rollout;
  std::map<DeviceId, uint64_t> rollback;
};

// rollout, stage, rollback, state of the deployments: as storage/records.hpp, CountRecord
using CountKey = std::tuple<RolloutName, uint32_t, bool, std::string>;

// Rows to be written at the end of the turn.
struct RolloutRows {
  std::set<uint64_t> deployments;
  std::set<RolloutName> rollouts;
  std::set<CountKey> counts;
};

struct RolloutsState {
  std::map<RolloutName, Rollout> by_name;
  std::map<std::pair<RolloutName, uint32_t>, GateRecord> gates;
  // What has not ended, the newest of each device and model, and the newest attempts of rollouts
  // that are not settled. The rest is history: the store has it (archive.cpp).
  std::map<uint64_t, Deployment> deployments;
  std::map<RolloutName, RolloutIndex> attempts;
  std::map<CountKey, uint32_t> counts;  // of all rollouts, settled ones too
  // The rollout that has not ended and has the device in its order (at most one per model).
  std::unordered_map<DeviceId, std::map<ModelName, RolloutName>> open_rollouts;
  std::map<std::pair<DeviceId, ModelName>, uint64_t> newest_deployment;
  std::set<uint64_t> in_progress;  // deployments that have not ended
  std::vector<AssignmentRecord> assignments;
  std::map<std::string, RequestRecord> requests;

  // Soft.
  std::set<DeviceId> reconcile_due;
  std::set<uint64_t> archive_due;  // deployments that may have become history
  Millis last_gates{0};
  double bandwidth_tokens = 0;
};

}  // namespace covey::engine
