// SPDX-License-Identifier: Apache-2.0
// What the broker has to know again when a session with it begins: it may be another one, or have
// forgotten what it retained. Bit by bit, so that a large fleet doesn't hold up the engine:
// credentials first, without which nobody is here; then root documents and releases; then goals.
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

void tell_credentials(Turn& turn, size_t& budget) {
  FleetState& fleet = own_fleet(turn);
  DeviceNumber& next = fleet.retelling.credentials;
  for (; budget > 0 && next < fleet.by_number.size(); ++next) {
    if (fleet.by_number[next] == nullptr) continue;
    const Device& device = *fleet.by_number[next];
    if (device.state != DeviceState::kAccepted) continue;
    turn.emit(SetCredential{device.id, broker_password(turn.state, device)});
    --budget;
  }
}

void tell_roots(Turn& turn, size_t& budget) {
  const auto& roots = turn.state.catalogue.roots;
  uint32_t& told = own_fleet(turn).retelling.roots;
  for (auto next = roots.upper_bound(told); budget > 0 && next != roots.end(); ++next, --budget) {
    publish_root(turn, next->first);
    told = next->first;
  }
}

void tell_releases(Turn& turn, size_t& budget) {
  Retelling& retelling = own_fleet(turn).retelling;
  const auto& releases = turn.state.catalogue.releases;
  auto next =
      retelling.releases_until ? releases.upper_bound(*retelling.releases_until) : releases.begin();
  for (; budget > 0 && next != releases.end(); ++next, --budget) {
    publish_release(turn, next->second);
    retelling.releases_until = next->first;
  }
  retelling.releases_told = next == releases.end();
}

void tell_goals(Turn& turn, size_t& budget) {
  FleetState& fleet = own_fleet(turn);
  DeviceNumber& next = fleet.retelling.goals;
  for (; budget > 0 && next < fleet.by_number.size(); ++next) {
    if (fleet.by_number[next] == nullptr) continue;
    const Device& device = *fleet.by_number[next];
    if (device.state != DeviceState::kAccepted || device.goal_counter == 0) continue;
    if (goal_is_outdated(turn.state, device)) {
      refresh_goal(turn, device.id);
    } else {
      publish_goal(turn, device);
    }
    --budget;
  }
}

}  // namespace

void begin_retelling(Turn& turn) {
  own_fleet(turn).retelling = {.going_on = true, .releases_until = std::nullopt};
  publish_site(turn);
  go_on_retelling(turn);
}

void go_on_retelling(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  Retelling& retelling = fleet.retelling;
  if (!retelling.going_on) return;
  if (!turn.state.clocks.broker_connected()) {
    retelling.going_on = false;
    return;
  }
  size_t budget = kRetoldPerTick;
  tell_credentials(turn, budget);
  if (retelling.credentials < fleet.by_number.size()) return;
  tell_roots(turn, budget);
  if (!retelling.releases_told) tell_releases(turn, budget);
  if (!retelling.releases_told) return;
  tell_goals(turn, budget);
  if (retelling.goals >= fleet.by_number.size()) retelling.going_on = false;
}

}  // namespace covey::engine
