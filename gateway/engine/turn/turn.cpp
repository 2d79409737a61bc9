#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

Session& Turn::session(const DeviceId& device) {
  const auto [found, added] = state.sessions.try_emplace(device);
  if (added) found->second.last_report_observed = state.site.observed;
  return found->second;
}

Device& Turn::change(Device& device) {
  dirty_devices.insert(device.id);
  return device;
}

void Turn::event(const RolloutName& rollout, std::string kind, std::string subject,
                 std::string text) {
  write(AppendEvent{{.sequence = ++state.site.event_sequence,
                     .rollout = rollout,
                     .wall = now.wall,
                     .kind = std::move(kind),
                     .subject = std::move(subject),
                     .text = std::move(text)}});
}

void Turn::report(Report::Level level, std::string event_name, std::string subject,
                  std::string text) {
  emit(Report{level, std::move(event_name), std::move(subject), std::move(text)});
}

void finish(Turn& turn) {
  State& state = turn.state;
  // Goals first: they change device rows.
  for (const DeviceId& id : turn.dirty_devices) {
    const Device& device = state.devices.at(id);
    if (device.state == DeviceState::kAccepted && device.goal_counter > 0 &&
        goal_is_outdated(state, device)) {
      turn.dirty_goals.insert(id);
    }
  }
  for (const DeviceId& id : turn.dirty_goals) {
    Device& device = turn.change(state.devices.at(id));
    renew_goal(turn, device);
    publish_goal(turn, device);
    turn.urgent();
  }
  for (const DeviceId& id : turn.dirty_devices) {
    if (const auto found = state.devices.find(id); found != state.devices.end()) {
      turn.write(PutDevice{found->second});
    }
  }
  for (const uint64_t number : turn.dirty_deployments) {
    turn.write(PutDeployment{state.deployments.at(number)});
  }
  for (const CountKey& key : turn.dirty_counts) {
    const auto& [rollout, stage, rollback, name] = key;
    turn.write(PutCount{{rollout, stage, rollback, name, state.counts.at(key)}});
  }
  for (const StreamKey& key : turn.dirty_streams) {
    if (const auto found = state.streams.find(key); found != state.streams.end()) {
      turn.write(PutStream{found->second});
    }
  }
  for (const TotalKey& key : turn.dirty_totals) turn.write(PutTotal{state.totals.at(key)});
  std::set<WindowId> revised;
  for (const Turn::WindowKey& key : turn.dirty_windows) {
    const auto window = state.windows.find({key.manifest, key.index});
    if (window == state.windows.end()) continue;
    const auto counts = window->second.devices.find({key.device, key.cohort});
    if (counts == window->second.devices.end()) continue;
    turn.write(PutWindow{{.manifest = key.manifest,
                          .cohort = key.cohort,
                          .device = key.device,
                          .index = key.index,
                          .start = key.index * turn.config.window,
                          .length = turn.config.window,
                          .devices = 1,
                          .closed = window->second.closed,
                          .revised = window->second.closed,
                          .counts = counts->second}});
    if (window->second.closed) revised.insert(window->first);
  }
  for (const WindowId& id : revised) write_cohorts(turn, id, state.windows.at(id), true);
  flush_acks(turn);
  const bool changed = !turn.out.writes.empty() || !turn.dirty_rollouts.empty() || turn.dirty_site;
  if (changed) {
    ++state.site.revision;
    for (const RolloutName& name : turn.dirty_rollouts) {
      Rollout& rollout = state.rollouts.at(name);
      rollout.revision = state.site.revision;
      turn.write(PutRollout{rollout});
    }
    turn.write(PutSite{state.site});
  }
  turn.out.revision = state.site.revision;
}

}  // namespace covey::engine
