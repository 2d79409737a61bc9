// SPDX-License-Identifier: Apache-2.0
// RECONCILING: the store is older than the world (a backup came back). What devices have seen since
// is adopted, what was going on waits for people (docs/design/trust.md, "Restored backups"). One
// device's word is about that device only; it takes several to stop the site (docs/adr/0013).
#include <algorithm>
#include <limits>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// Distinct devices that must know better, by the size of the fleet: 1 % of it, from 2 to 10.
constexpr size_t kWitnessesMin = 2;
constexpr size_t kWitnessesMax = 10;
constexpr size_t kDevicesPerWitness = 100;
constexpr Millis kClaimLife = 1h;  // observed

// A site of one device has no second opinion, and nobody else to harm.
size_t witnesses_needed(size_t enrolled) {
  const size_t share = std::clamp(enrolled / kDevicesPerWitness, kWitnessesMin, kWitnessesMax);
  return std::max<size_t>(1, std::min(share, enrolled));
}

// A step of what never turns around.
template <typename Number>
Number add_bounded(Number value, Number step) {
  constexpr Number kLast = std::numeric_limits<Number>::max() / 2;
  return value >= kLast ? kLast : std::min<Number>(kLast, value + step);
}

// The highest epoch that enough devices have seen; a liar's own is above it.
uint32_t agreed_epoch(const State& state, size_t needed) {
  std::vector<uint32_t> epochs;
  for (const auto& [id, claim] : state.fleet.ahead) epochs.push_back(claim.site_epoch);
  std::sort(epochs.begin(), epochs.end(), std::greater<>());
  return std::max(state.site.site_epoch, epochs[needed - 1]);
}

void begin(Turn& turn, size_t witnesses) {
  const State& state = turn.state;
  ++turn.counters().restores;
  turn.change_site().reconciling = true;
  own_fleet(turn).reconciling_since = state.site.observed;
  turn.log(LogLine::Level::kWarning, "site_restored", "site",
           std::to_string(witnesses) + " devices have seen more than this store: epoch " +
               std::to_string(state.site.site_epoch) + ", rollouts wait");
  const std::set<RolloutName> open = state.rollouts.open;
  for (const RolloutName& name : open) {
    if (state.rollouts.by_name.at(name).progress.state == RolloutState::kRollingBack) continue;
    (void)command_rollout(
        turn, name,
        rollout::Pause{"RESTORED", "the store is older than what " + std::to_string(witnesses) +
                                       " devices have seen; look at `covey device list`, then "
                                       "resume"},
        "");
  }
}

// Enough devices say so: their epoch is the site's.
void believe_if_enough(Turn& turn) {
  const State& state = turn.state;
  const size_t needed = witnesses_needed(state.fleet.enrolled);
  if (state.fleet.ahead.size() < needed) return;
  const uint32_t epoch = agreed_epoch(state, needed);
  FleetState& fleet = own_fleet(turn);
  const bool another_restore = epoch > state.site.site_epoch;
  if (state.site.reconciling && !another_restore) return;
  turn.change_site().site_epoch = epoch;
  if (another_restore) {
    // Another epoch makes every device say hello: what they said before was compared with less.
    for (DeviceNumber number = 0; number < fleet.by_number.size(); ++number) {
      if (fleet.by_number[number] == nullptr) continue;
      const Device& device = *fleet.by_number[number];
      const auto claim = fleet.ahead.find(device.id);
      fleet.count_out(device);
      fleet.sessions[number].said_hello =
          claim != fleet.ahead.end() && claim->second.site_epoch == epoch;
      fleet.count_in(device);
    }
    publish_site(turn);
  }
  const size_t witnesses = state.fleet.ahead.size();
  for (auto claim = fleet.ahead.begin(); claim != fleet.ahead.end();) {
    // Whoever is above even that stays in quarantine.
    if (claim->second.site_epoch > epoch) {
      ++claim;
      continue;
    }
    resolve_ahead_of_site(turn, claim->first,
                          "the store was older: what the device knew is adopted");
    refresh_goal(turn, claim->first);
    const DeviceId device = claim->first;
    claim = fleet.ahead.erase(claim);
    device_is_here(turn, device);  // out of quarantine
  }
  begin(turn, witnesses);
}

}  // namespace

bool is_quarantined(const State& state, const DeviceId& device) {
  const auto claim = state.fleet.ahead.find(device);
  return claim != state.fleet.ahead.end() && claim->second.site_epoch > state.site.site_epoch;
}

bool adopt_newer(Turn& turn, Device& device, uint32_t site_epoch, uint64_t goal_counter) {
  const State& state = turn.state;
  // No sound device has seen more than so much more; what is beyond counts up to there.
  site_epoch = std::min(site_epoch, add_bounded(state.site.site_epoch, kEpochStepMax));
  goal_counter = std::min(goal_counter, add_bounded(device.goal_counter, kGoalCounterStepMax));
  const bool higher_epoch = site_epoch > state.site.site_epoch;
  const bool higher_counter = goal_counter > device.goal_counter;
  // A claim stands until nobody has made it for a while: what takes it back and makes it again is
  // not told each time.
  if (!higher_epoch && !higher_counter) return false;
  change_device(turn, device.id).goal_counter = std::max(device.goal_counter, goal_counter);
  // A restore is known: one more that knows newer goals is what was expected.
  if (!higher_epoch && state.site.reconciling) return true;
  const auto [claim, first] = own_fleet(turn).ahead.try_emplace(device.id);
  const bool news = first || site_epoch > claim->second.site_epoch;
  claim->second.site_epoch = std::max(claim->second.site_epoch, site_epoch);
  claim->second.made = state.site.observed;
  if (first) {
    const std::string seen =
        "has seen goal " + std::to_string(goal_counter) + " of epoch " + std::to_string(site_epoch);
    if (raise_ahead_of_site(turn, device, seen)) {
      turn.log(LogLine::Level::kWarning, "device_ahead", device.id.str(), seen);
    }
  }
  if (news) {
    believe_if_enough(turn);
    if (is_quarantined(state, device.id)) leave_rollouts(turn, device, "QUARANTINED");
  }
  return higher_counter || (higher_epoch && !is_quarantined(state, device.id));
}

void forget_claim(Turn& turn, const DeviceId& device, const std::string& why) {
  own_fleet(turn).ahead.erase(device);
  if (is_online(turn.state, device)) device_is_here(turn, device);  // out of quarantine
  resolve_ahead_of_site(turn, device, why);
}

void expire_claims(Turn& turn) {
  std::vector<DeviceId> old;
  for (const auto& [id, claim] : turn.state.fleet.ahead) {
    if (turn.state.site.observed - claim.made > kClaimLife) old.push_back(id);
  }
  for (const DeviceId& id : old) forget_claim(turn, id, "it has not said so for an hour");
}

void adopt_reported(Turn& turn, Device& device) {
  for (auto& [name, model] : change_device(turn, device.id).models) {
    if (!model.reported.confirmed || model.desired == model.reported.confirmed) continue;
    // It was told so by the site that the backup forgot: the old store's wish must not undo that.
    model.desired = model.reported.confirmed;
    model.assignment_failures = 0;
    model.retry_not_before = Millis{0};
  }
}

void end_reconciling(Turn& turn) {
  const State& state = turn.state;
  if (!state.site.reconciling) return;
  const size_t unheard = state.fleet.enrolled - state.fleet.said_hello;
  // Sleepers must not hold it for months; they are adopted all the same when they wake up.
  const Millis since = std::max(state.fleet.reconciling_since, state.clocks.connected_observed);
  const Millis patience = turn.config.offline_after + grace(turn.config);
  if (unheard > 0 && state.site.observed - since < patience) return;
  turn.change_site().reconciling = false;
  turn.log(LogLine::Level::kInfo, "site_reconciled", "site",
           unheard == 0 ? std::string("every device has said hello")
                        : std::to_string(unheard) + " devices have not said hello yet");
}

}  // namespace covey::engine
