#include <algorithm>

#include "gateway/engine/turn.hpp"

namespace covey::engine {

std::vector<ModelGoal> goal_of(const State& state, const Device& device) {
  std::vector<ModelGoal> goals;
  for (const auto& [name, model] : device.models) {
    ModelGoal goal{.model = name,
                   .confirmed = model.reported.confirmed,
                   .security_floor = model.reported.security_floor};
    const Deployment* deployment = deployment_in_progress(state, device.id, name);
    if (deployment != nullptr && in_flight(deployment->state)) {
      goal.candidate = deployment->manifest;
      goal.may_confirm = deployment->granted;
      goal.attempt = deployment->attempt;
    }
    goals.push_back(std::move(goal));
  }
  return goals;
}

void refresh_goal(Turn& turn, const DeviceId& device) { turn.dirty_goals.insert(device); }

void publish_goal(Turn& turn, const Device& device) {
  const State& state = turn.state;
  Millis lease{0};
  for (const auto& [name, model] : device.models) {
    const Deployment* deployment = deployment_in_progress(state, device.id, name);
    if (deployment != nullptr && in_flight(deployment->state)) {
      lease = std::max(lease, deployment->deadline - state.site.observed);
    }
  }
  const auto lease_s = std::chrono::duration_cast<std::chrono::seconds>(lease + 999ms).count();
  GoalMessage goal{.site_epoch = state.site.site_epoch,
                   .counter = device.goal_counter,
                   .device = device.id,
                   .nonce = device.goal_nonce,
                   .models = goal_of(state, device),
                   .lease_s = static_cast<uint32_t>(std::clamp<int64_t>(lease_s, 0, INT32_MAX))};
  ++turn.state.counters.goals;
  turn.emit(PublishGoal{device.id, device.shard, std::move(goal), order_key(state, device)});
}

void publish_release(Turn& turn, const ReleaseRecord& release) {
  for (const ArtifactRecord& record : release.artifacts) {
    const std::shared_ptr<const Artifact>& artifact = record.artifact;
    turn.emit(PublishBlob{artifact->digest, artifact, artifact->signed_manifest_bytes});
    turn.emit(PublishBlob{artifact->manifest.chunk_table_digest, artifact, artifact->chunk_table});
    turn.emit(PublishBlob{artifact->manifest.tables_digest, artifact, artifact->tables_bytes});
  }
}

void publish_everything_retained(Turn& turn) {
  const State& state = turn.state;
  for (const auto& [id, release] : state.releases) publish_release(turn, release);
  for (const auto& [id, device] : state.devices) {
    if (device.state == DeviceState::kAccepted && device.goal_counter > 0) {
      publish_goal(turn, device);
    }
  }
  publish_site(turn);
}

void publish_site(Turn& turn) {
  turn.emit(PublishSite{{.site_epoch = turn.state.site.site_epoch,
                         .gateway_start_id = turn.config.start_id,
                         .utc = turn.now.wall,
                         .hello_jitter = turn.config.hello_jitter}});
}

}  // namespace covey::engine
