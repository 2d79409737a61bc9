#include <algorithm>

#include "gateway/engine/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kBootFlapsMax = 3;
constexpr size_t kAckStreamsMax = 6;  // 256 bytes

void heard(Turn& turn, Device& device, uint64_t boot_id, uint64_t uptime_ms) {
  Session& session = turn.session(device.id);
  session.last_heard = turn.now.mono;
  session.last_heard_wall = turn.now.wall;
  if (!session.online) {
    session.online = true;
    turn.state.reconcile_due.insert(device.id);
  }
  const Millis offset = turn.now.wall - Millis{uptime_ms};
  if (!session.offset_known || session.offset_boot != boot_id || offset < session.offset) {
    session.offset = offset;
    session.offset_boot = boot_id;
    session.offset_known = true;
  }
}

void take_reports(Turn& turn, Device& device, const std::vector<ModelReport>& reports) {
  size_t taken = 0;
  for (const ModelReport& report : reports) {
    if (++taken > kModelsPerDeviceMax) return;
    on_model_report(turn, device, report);
  }
}

void note_counter(Turn& turn, Device& device, uint64_t goal_counter) {
  if (goal_counter == device.goal_counter_seen && !device.goal_dirty) return;
  turn.change(device).goal_counter_seen = goal_counter;
  if (goal_counter >= device.goal_counter) device.goal_dirty = false;
}

}  // namespace

void on_hello(Turn& turn, Device& device, const HelloMessage& hello) {
  if (!hello.device.empty() && hello.device != device.id) {
    return turn.drop(Drop::kDeviceIdMismatch);
  }
  Session& session = turn.session(device.id);
  if (device.boot_id != 0 && hello.boot_id != device.boot_id) {
    if (session.boot_before == hello.boot_id && ++session.boot_flaps >= kBootFlapsMax) {
      raise_duplicate_identity(turn, device);
      session.boot_flaps = 0;
    }
    session.boot_before = device.boot_id;
  }
  heard(turn, device, hello.boot_id, hello.uptime_ms);
  session.connection = hello.connection;
  session.said_hello = true;
  turn.change(device).enrolled = true;
  const bool ahead = adopt_newer(turn, device, hello.site_epoch, hello.goal_counter);

  device.last_seen_wall = turn.now.wall;
  if (device.facts != hello.facts) {
    device.facts = hello.facts;
    turn.state.reconcile_due.insert(device.id);
  }
  device.boot_id = hello.boot_id;
  device.nonce = hello.nonce;
  device.status_number = hello.status_number;
  note_counter(turn, device, hello.goal_counter);
  take_reports(turn, device, hello.models);
  if (ahead) adopt_reported(turn, device);
  assign_device(turn, device);
  // Something stands that this boot has not accepted, or of an epoch that is over: say it again
  // with its nonce.
  const bool of_old_epoch = hello.goal_counter > 0 && hello.site_epoch < turn.state.site.site_epoch;
  if (device.goal_counter > hello.goal_counter || ahead || of_old_epoch) {
    refresh_goal(turn, device.id);
  }
  if (device.settings != turn.config.settings) turn.state.settings_due.insert(device.id);
  turn.state.ack_due.insert(device.id);
  session.last_ack = Millis{0};
  turn.urgent();
}

void on_status(Turn& turn, Device& device, const StatusMessage& status) {
  if (status.boot_id != device.boot_id) return turn.drop(Drop::kStatusStale);
  heard(turn, device, status.boot_id, status.uptime_ms);
  turn.state.ack_due.insert(device.id);
  if (status.number < device.status_number) return turn.drop(Drop::kStatusStale);
  const bool ahead = adopt_newer(turn, device, status.site_epoch, status.goal_counter);
  turn.change(device).status_number = status.number;
  device.last_seen_wall = turn.now.wall;
  note_counter(turn, device, status.goal_counter);
  take_reports(turn, device, status.models);
  if (ahead) {
    adopt_reported(turn, device);
    refresh_goal(turn, device.id);
  }
  // The goal that stands did not reach it: say it again, as it is. (One that is outdated becomes
  // another one at the end of the turn.)
  if (device.goal_counter > status.goal_counter && !goal_is_outdated(turn.state, device)) {
    publish_goal(turn, device);
  }
  turn.urgent();
}

void on_bye(Turn& turn, Device& device, const ByeMessage& bye) {
  Session& session = turn.session(device.id);
  // The last will of an older connection says nothing about this one.
  if (bye.boot_id == device.boot_id && bye.connection == session.connection) {
    session.online = false;
  }
}

void expire_sessions(Turn& turn) {
  for (auto& [id, session] : turn.state.sessions) {
    if (session.online && turn.now.mono - session.last_heard > turn.config.offline_after) {
      session.online = false;
    }
  }
}

bool is_online(const State& state, const DeviceId& device) {
  const auto found = state.sessions.find(device);
  return found != state.sessions.end() && found->second.online;
}

bool is_reachable(const State& state, const DeviceId& device) {
  return is_online(state, device) && !is_quarantined(state, device);
}

Millis last_heard(const State& state, const Device& device) {
  const auto found = state.sessions.find(device.id);
  if (found == state.sessions.end()) return device.last_seen_wall;
  return std::max(device.last_seen_wall, found->second.last_heard_wall);
}

void flush_acks(Turn& turn) {
  State& state = turn.state;
  for (auto due = state.ack_due.begin(); due != state.ack_due.end();) {
    const auto found = state.devices.find(*due);
    if (found == state.devices.end()) {
      due = state.ack_due.erase(due);
      continue;
    }
    const Device& device = found->second;
    Session& session = turn.session(device.id);
    if (session.last_ack.count() != 0 &&
        turn.now.mono - session.last_ack < turn.config.ack_interval) {
      ++due;
      continue;
    }
    session.last_ack = turn.now.mono;
    AckMessage ack{.boot_id = device.boot_id,
                   .status_number = device.status_number,
                   .credit = turn.config.report_credit};
    // The newest streams of this boot: an acknowledgement has its limit on the wire.
    std::vector<const StreamRecord*> streams;
    const StreamKey first{device.id, device.boot_id, Digest{}};
    for (auto it = state.streams.lower_bound(first);
         it != state.streams.end() && std::get<0>(it->first) == device.id &&
         std::get<1>(it->first) == device.boot_id;
         ++it) {
      streams.push_back(&it->second);
    }
    std::sort(streams.begin(), streams.end(),
              [](const auto* a, const auto* b) { return a->order > b->order; });
    if (streams.size() > kAckStreamsMax) streams.resize(kAckStreamsMax);
    for (const StreamRecord* record : streams) {
      const monitoring::StreamAck mark = monitoring::ack(record->mark);
      ack.streams.push_back(
          {prefix_of(record->manifest), static_cast<uint32_t>(mark.cumulative), mark.bitmap});
    }
    turn.emit(PublishAck{device.id, device.shard, std::move(ack), order_key(state, device)});
    due = state.ack_due.erase(due);
  }
}

}  // namespace covey::engine
