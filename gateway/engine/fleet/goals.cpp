// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

namespace {

uint32_t lease_of(const State& state, const Deployment& deployment) {
  const Millis left = deployment.deadline - state.site.observed;
  const auto lease = std::chrono::duration_cast<std::chrono::seconds>(left + 999ms).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(lease, 0, INT32_MAX));
}

ModelOrder order_of(const State& state, const Device& device, const ModelName& name,
                    const DeviceModel& model) {
  ModelOrder order{.confirmed = model.reported.confirmed, .security_floor = floor_of(model)};
  const Deployment* deployment = deployment_in_progress(state, device.id, name);
  if (deployment != nullptr && in_flight(deployment->state)) {
    order.candidate = deployment->manifest;
    order.may_confirm = deployment->granted;
    order.attempt = deployment->attempt;
    order.lease_s = lease_of(state, *deployment);
  }
  return order;
}

// A lease runs down by itself: only one that has lost its meaning before it was seen makes another
// goal.
bool says_the_same(const std::optional<ModelOrder>& said, ModelOrder now, bool seen) {
  if (!said) return false;
  const uint32_t left = now.lease_s;
  now.lease_s = said->lease_s;
  return *said == now && (seen || left >= said->lease_s / 2);
}

}  // namespace

bool goal_is_outdated(const State& state, const Device& device) {
  return std::any_of(device.models.begin(), device.models.end(), [&](const auto& entry) {
    const auto& [name, model] = entry;
    return !says_the_same(model.ordered, order_of(state, device, name, model),
                          device.goal_counter_seen >= device.goal_counter);
  });
}

void refresh_goal(Turn& turn, const DeviceId& device) { turn.fleet_rows.goals.insert(device); }

void repeat_later(FleetState& fleet, DeviceNumber number) {
  Session& session = fleet.sessions[number];
  const Millis at = session.goal_said + session.goal_repeat;
  if (session.repeat_at != Millis{0} && session.repeat_at <= at) return;
  session.repeat_at = at;
  fleet.repeats.add(at, number);
}

void repeat_goals(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  const auto look = [&](DeviceNumber number, Millis at) -> std::optional<Millis> {
    Session& session = fleet.sessions[number];
    if (session.repeat_at != at) return std::nullopt;  // another entry counts
    session.repeat_at = Millis{0};
    const Device& device = *fleet.by_number[number];
    // Whoever is away is told when it is back.
    if (!session.online || session.goal_said == Millis{0}) return std::nullopt;
    if (device.state != DeviceState::kAccepted || !device.goal_dirty) {
      session.goal_said = Millis{0};
      return std::nullopt;
    }
    if (const Millis due = session.goal_said + session.goal_repeat; turn.now.mono < due) {
      session.repeat_at = due;
      return due;
    }
    session.goal_repeat = std::min(2 * session.goal_repeat, kGoalRepeatMax);
    session.goal_said = turn.now.mono;
    session.repeat_at = turn.now.mono + session.goal_repeat;
    if (goal_is_outdated(turn.state, device)) {
      refresh_goal(turn, device.id);
    } else {
      publish_goal(turn, device);
    }
    return session.repeat_at;
  };
  fleet.repeats.run(turn.now.mono, kGoalRepeatsPerTick, look);
}

void order_settings(Turn& turn) {
  const State& state = turn.state;
  if (!state.clocks.broker_connected()) return;
  std::set<DeviceId>& due = own_fleet(turn).settings_due;
  for (size_t n = 0; n < kSettingsOrderedPerTick && !due.empty(); ++n) {
    const DeviceId id = due.extract(due.begin()).value();
    const auto device = state.fleet.devices.find(id);
    if (device == state.fleet.devices.end() || device->second.state != DeviceState::kAccepted)
      continue;
    // Whoever left says hello again; whoever was told meanwhile has them.
    if (!is_reachable(state, id) || device->second.settings == turn.config.settings) continue;
    refresh_goal(turn, id);
  }
}

void renew_goal(Turn& turn, Device& device) {
  FleetState& fleet = own_fleet(turn);
  Session& session = fleet.sessions[*fleet.number_of(device.id)];
  session.goal_repeat = kGoalRepeatFirst;
  if (session.online && session.goal_made == Millis{0}) session.goal_made = turn.now.mono;
  ++turn.counters().goals_made;
  ++device.goal_counter;
  device.goal_nonce = device.nonce;
  device.goal_dirty = true;
  device.settings = turn.config.settings;
  for (auto& [name, model] : device.models) {
    model.ordered = order_of(turn.state, device, name, model);
  }
}

void publish_goal(Turn& turn, const Device& device) {
  FleetState& fleet = own_fleet(turn);
  const DeviceNumber number = *fleet.number_of(device.id);
  if (Session& session = fleet.sessions[number]; session.heard) {
    session.goal_said = turn.now.mono;
    if (session.online) repeat_later(fleet, number);
  }
  GoalMessage goal{.site_epoch = turn.state.site.site_epoch,
                   .counter = device.goal_counter,
                   .device = device.id,
                   .nonce = device.goal_nonce,
                   .models = {},
                   .settings = device.settings};
  for (const auto& [name, model] : device.models) {
    if (!model.ordered) continue;
    goal.models.push_back({.model = name,
                           .confirmed = model.ordered->confirmed,
                           .candidate = model.ordered->candidate,
                           .may_confirm = model.ordered->may_confirm,
                           .attempt = model.ordered->attempt,
                           .security_floor = model.ordered->security_floor});
    goal.lease_s = std::max(goal.lease_s, model.ordered->lease_s);
  }
  ++turn.counters().goals;
  turn.emit(PublishGoal{device.id, device.shard, std::move(goal), order_key(turn.state, device)});
}

void publish_release(Turn& turn, const ReleaseRecord& release) {
  for (const ArtifactRecord& record : release.artifacts) {
    const std::shared_ptr<const Artifact>& artifact = record.artifact;
    turn.emit(PublishBlob{artifact->digest, artifact, artifact->signed_manifest_bytes});
    turn.emit(PublishBlob{artifact->manifest.chunk_table_digest, artifact, artifact->chunk_table});
    turn.emit(PublishBlob{artifact->manifest.tables_digest, artifact, artifact->tables_bytes});
  }
}

void publish_root(Turn& turn, uint32_t version) {
  turn.emit(PublishRoot{version, turn.state.catalogue.roots.at(version).document});
}

void publish_site(Turn& turn) {
  turn.emit(PublishSite{{.site_epoch = turn.state.site.site_epoch,
                         .gateway_start_id = turn.config.start_id,
                         .utc = turn.now.wall,
                         .hello_jitter = turn.config.hello_jitter}});
}

void renew_goals(Turn& turn) {
  const State& state = turn.state;
  for (const DeviceId& id : turn.fleet_rows.devices) {
    const auto found = state.fleet.devices.find(id);
    if (found == state.fleet.devices.end()) continue;  // removed in this turn
    const Device& device = found->second;
    if (device.state == DeviceState::kAccepted && device.goal_counter > 0 &&
        goal_is_outdated(state, device)) {
      turn.fleet_rows.goals.insert(id);
    }
  }
  for (const DeviceId& id : turn.fleet_rows.goals) {
    const auto found = state.fleet.devices.find(id);
    if (found == state.fleet.devices.end() || found->second.state != DeviceState::kAccepted) {
      continue;
    }
    Device& device = change_device(turn, id);
    renew_goal(turn, device);
    publish_goal(turn, device);
    turn.urgent();
  }
}

}  // namespace covey::engine
