#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kBootFlapsMax = 3;
constexpr size_t kAckStreamsMax = 6;  // of one message: 256 bytes

void come_online(Turn& turn, const Device& device, Session& session) {
  FleetState& fleet = own_fleet(turn);
  session.online = true;
  const DeviceNumber number = *fleet.number_of(device.id);
  if (session.expiry_at == Millis{0}) {
    session.expiry_at = turn.now.mono + turn.config.offline_after + 1ms;
    fleet.expiries.add(session.expiry_at, number);
  }
  if (session.goal_said != Millis{0}) repeat_later(fleet, number);
  device_is_here(turn, device.id);
}

void heard(Turn& turn, Device& device, uint64_t boot_id, uint64_t uptime_ms) {
  Session& session = change_session(turn, device.id);
  session.last_heard = turn.now.mono;
  session.last_heard_wall = turn.now.wall;
  if (!session.online) come_online(turn, device, session);
  const Millis offset = turn.now.wall - Millis{uptime_ms};
  const bool other_boot = session.offset && session.offset->boot_id != boot_id;
  if (other_boot) std::swap(session.offset, session.offset_before);
  const bool known = session.offset && session.offset->boot_id == boot_id;
  if (!known || offset < session.offset->offset) session.offset = {boot_id, offset};
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
  change_device(turn, device.id).goal_counter_seen = goal_counter;
  if (goal_counter >= device.goal_counter) device.goal_dirty = false;
}

std::set<StreamKey> take_heard(State& state, const DeviceId& device) {
  std::set<StreamKey> heard;
  auto it = state.telemetry.streams_heard.lower_bound({device, 0, Digest{}});
  while (it != state.telemetry.streams_heard.end() && std::get<0>(*it) == device) {
    heard.insert(state.telemetry.streams_heard.extract(it++));
  }
  return heard;
}

// One boot of a device: the streams that were heard, then its newest ones as far as there is room.
// More than one message where the limit on the wire is below what was heard; at least one.
void acknowledge(Turn& turn, const Device& device, uint64_t boot_id,
                 const std::set<StreamKey>& heard) {
  struct Entry {
    bool heard = false;
    uint64_t order = 0;
    const StreamRecord* record = nullptr;
    auto operator<=>(const Entry&) const = default;
  };
  const State& state = turn.state;
  std::vector<Entry> streams;
  for (auto it = state.telemetry.streams.lower_bound({device.id, boot_id, Digest{}});
       it != state.telemetry.streams.end() && std::get<0>(it->first) == device.id &&
       std::get<1>(it->first) == boot_id;
       ++it) {
    streams.push_back({heard.contains(it->first), it->second.order, &it->second});
  }
  std::sort(streams.begin(), streams.end(), std::greater<>());
  const auto reported = static_cast<size_t>(std::count_if(
      streams.begin(), streams.end(), [](const Entry& entry) { return entry.heard; }));
  if (streams.size() > kAckStreamsMax) streams.resize(std::max(reported, kAckStreamsMax));
  auto next = streams.begin();
  do {
    // The number of the last status is of the boot that said hello last.
    const bool known = boot_id == device.boot_id;
    AckMessage ack{.boot_id = boot_id,
                   .status_number = known ? device.status_number : 0,
                   .credit = turn.config.report_credit,
                   .reports_only = !known};
    for (; next != streams.end() && ack.streams.size() < kAckStreamsMax; ++next) {
      const monitoring::StreamAck mark = monitoring::ack(next->record->mark);
      ack.streams.push_back(
          {prefix_of(next->record->manifest), static_cast<uint32_t>(mark.cumulative), mark.bitmap});
    }
    turn.emit(PublishAck{device.id, device.shard, std::move(ack), order_key(state, device)});
  } while (next != streams.end());
}

}  // namespace

void on_hello(Turn& turn, Device& device, const HelloMessage& hello) {
  if (!hello.device.empty() && hello.device != device.id) {
    return turn.drop(Drop::kDeviceIdMismatch);
  }
  Session& session = change_session(turn, device.id);
  if (device.boot_id != 0 && hello.boot_id != device.boot_id) {
    if (session.boot_before == hello.boot_id && ++session.boot_flaps >= kBootFlapsMax) {
      raise_duplicate_identity(turn, device);
      session.boot_flaps = 0;
    }
    session.boot_before = device.boot_id;
  }
  heard(turn, device, hello.boot_id, hello.uptime_ms);
  session.connection = hello.connection;
  FleetState& fleet = own_fleet(turn);
  fleet.count_out(device);
  session.said_hello = true;
  change_device(turn, device.id).enrolled = true;
  fleet.count_in(device);
  const bool ahead = adopt_newer(turn, device, hello.site_epoch, hello.goal_counter);

  device.last_seen_wall = turn.now.wall;
  if (device.facts != hello.facts) {
    device.facts = hello.facts;
    device_has_changed(turn, device.id);
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
  if (device.settings != turn.config.settings) own_fleet(turn).settings_due.insert(device.id);
  own_fleet(turn).ack_due.insert(device.id);
  session.last_ack = Millis{0};
  turn.urgent();
}

void on_status(Turn& turn, Device& device, const StatusMessage& status) {
  if (status.boot_id != device.boot_id) return turn.drop(Drop::kStatusStale);
  heard(turn, device, status.boot_id, status.uptime_ms);
  own_fleet(turn).ack_due.insert(device.id);
  if (status.number < device.status_number) return turn.drop(Drop::kStatusStale);
  const bool ahead = adopt_newer(turn, device, status.site_epoch, status.goal_counter);
  change_device(turn, device.id).status_number = status.number;
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
  Session& session = change_session(turn, device.id);
  // The last will of an older connection says nothing about this one.
  if (bye.boot_id == device.boot_id && bye.connection == session.connection) {
    session.online = false;
  }
}

void expire_sessions(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  fleet.expiries.run(turn.now.mono, kExpiriesPerTick,
                     [&](DeviceNumber number, Millis) -> std::optional<Millis> {
                       Session& session = fleet.sessions[number];
                       const Millis end = session.last_heard + turn.config.offline_after;
                       session.expiry_at = Millis{0};
                       if (!session.online) return std::nullopt;
                       if (turn.now.mono > end) {
                         session.online = false;
                         return std::nullopt;
                       }
                       session.expiry_at = end + 1ms;
                       return session.expiry_at;
                     });
}

void lose_everybody(Turn& turn) {
  for (Session& session : own_fleet(turn).sessions) session.online = false;
}

bool is_online(const State& state, const DeviceId& device) {
  const Session* session = state.fleet.session_of(device);
  return session != nullptr && session->online;
}

bool is_reachable(const State& state, const DeviceId& device) {
  return is_online(state, device) && !is_quarantined(state, device);
}

Millis last_heard(const State& state, const Device& device) {
  const Session* session = state.fleet.session_of(device.id);
  if (session == nullptr) return device.last_seen_wall;
  return std::max(device.last_seen_wall, session->last_heard_wall);
}

void flush_acks(Turn& turn) {
  State& state = turn.state;
  for (auto due = state.fleet.ack_due.begin(); due != state.fleet.ack_due.end();) {
    const auto found = state.fleet.devices.find(*due);
    if (found == state.fleet.devices.end()) {
      take_heard(state, *due);
      due = state.fleet.ack_due.erase(due);
      continue;
    }
    const Device& device = found->second;
    Session& session = change_session(turn, device.id);
    if (session.last_ack.count() != 0 &&
        turn.now.mono - session.last_ack < turn.config.ack_interval) {
      ++due;
      continue;
    }
    session.last_ack = turn.now.mono;
    // Reports may be of earlier boots: devices keep over a reboot what was not acknowledged.
    const std::set<StreamKey> heard = take_heard(state, device.id);
    std::set<uint64_t> boots{device.boot_id};
    for (const StreamKey& key : heard) boots.insert(std::get<1>(key));
    for (const uint64_t boot_id : boots) acknowledge(turn, device, boot_id, heard);
    due = state.fleet.ack_due.erase(due);
  }
}

}  // namespace covey::engine
