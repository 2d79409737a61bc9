// SPDX-License-Identifier: Apache-2.0
#include "core/assert.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"

namespace covey::engine {

Device& change_device(Turn& turn, const DeviceId& device) {
  FleetState& fleet = own_fleet(turn);
  const std::optional<DeviceNumber> number = fleet.number_of(device);
  COVEY_ASSERT(number.has_value());
  turn.fleet_rows.devices.insert(device);
  return *fleet.by_number[*number];
}

DeviceModel& change_model(Turn& turn, const DeviceId& device, const ModelName& model) {
  DeviceModel& changed = change_device(turn, device).models[model];
  changed.reported.model = model;
  return changed;
}

Session& change_session(Turn& turn, const DeviceId& device) {
  const std::optional<DeviceNumber> number = turn.state.fleet.number_of(device);
  COVEY_ASSERT(number.has_value());
  return change_session(turn, *number);
}

Session& change_session(Turn& turn, DeviceNumber device) {
  Session& session = own_fleet(turn).sessions[device];
  if (!session.heard) {
    session.heard = true;
    session.last_report_observed = turn.state.site.observed;
  }
  return session;
}

void write_fleet(Turn& turn) {
  for (const DeviceId& id : turn.fleet_rows.devices) {
    if (const auto found = turn.state.fleet.devices.find(id);
        found != turn.state.fleet.devices.end()) {
      turn.write(PutDevice{found->second});
    }
  }
}

void forget_offsets(Turn& turn) {
  for (Session& session : own_fleet(turn).sessions) {
    session.offset.reset();
    session.offset_before.reset();
    session.reported_until = Millis{0};
  }
}

}  // namespace covey::engine
