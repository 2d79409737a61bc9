// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kBootFlapsMax = 3;

void come_online(Turn& turn, const Device& device, Session& session) {
  FleetState& fleet = own_fleet(turn);
  session.online = true;
  session.goal_made = Millis{0};
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

void note_receipt(Turn& turn, const Device& device) {
  ++turn.counters().goals_received;
  Session& session = change_session(turn, device.id);
  const Millis made = std::exchange(session.goal_made, Millis{0});
  if (made != Millis{0}) turn.counters().receipt_times.observe(turn.now.mono - made);
}

void note_counter(Turn& turn, Device& device, uint64_t goal_counter) {
  // It can't have accepted more than there was.
  const uint64_t seen = std::min(goal_counter, device.goal_counter);
  if (seen == device.goal_counter_seen && !device.goal_dirty) return;
  if (seen == device.goal_counter && seen > device.goal_counter_seen) note_receipt(turn, device);
  change_device(turn, device.id).goal_counter_seen = seen;
  if (goal_counter >= device.goal_counter) device.goal_dirty = false;
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
  check_certificate(turn, device, hello.certificate);
  if (device.settings != turn.config.settings) own_fleet(turn).settings_due.insert(device.id);
  acknowledge_now(turn, device);
  turn.urgent();
}

void on_status(Turn& turn, Device& device, const StatusMessage& status) {
  if (status.boot_id != device.boot_id) return turn.drop(Drop::kStatusStale);
  heard(turn, device, status.boot_id, status.uptime_ms);
  acknowledge_soon(turn, device);
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
                     [&](DeviceNumber number, Millis at) -> std::optional<Millis> {
                       Session& session = fleet.sessions[number];
                       // Of a device that had the number before.
                       if (session.expiry_at != at) return std::nullopt;
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

}  // namespace covey::engine
