// RECONCILING: the store is older than the world (a backup came back). What devices have seen since
// is adopted, what was going on waits for people (DESIGN.md section 4).
#include <algorithm>

#include "gateway/engine/turn.hpp"

namespace covey::engine {
namespace {

void begin(Turn& turn, const Device& device) {
  State& state = turn.state;
  ++state.counters.restores;
  state.site.reconciling = true;
  state.reconciling_since = state.site.observed;
  turn.change_site();
  for (const auto& [name, rollout] : state.rollouts) {
    if (has_ended(rollout.state) || rollout.state == RolloutState::kRollingBack) continue;
    (void)command_rollout(
        turn, name,
        rollout::Pause{"RESTORED", "the store is older than what device " + device.id.str() +
                                       " has seen; look at `covey device list`, then resume"},
        "");
  }
}

}  // namespace

bool adopt_newer(Turn& turn, Device& device, uint32_t site_epoch, uint64_t goal_counter) {
  State& state = turn.state;
  if (site_epoch <= state.site.site_epoch && goal_counter <= device.goal_counter) return false;
  // Many devices know better than one restored store; a higher epoch is a restore of its own.
  const bool another_restore = site_epoch > state.site.site_epoch;
  if (another_restore) {
    turn.change_site();
    // Another epoch makes every device say hello: what they said before was compared with less.
    for (auto& [id, session] : state.sessions) session.said_hello = id == device.id;
  }
  state.site.site_epoch = std::max(state.site.site_epoch, site_epoch);
  turn.change(device).goal_counter = std::max(device.goal_counter, goal_counter);
  turn.report(Report::Level::kWarning, "site_restored", device.id.str(),
              "device has seen goal " + std::to_string(goal_counter) + " of epoch " +
                  std::to_string(site_epoch));
  if (another_restore) publish_site(turn);
  if (!state.site.reconciling || another_restore) begin(turn, device);
  return true;
}

void adopt_reported(Turn& turn, Device& device) {
  for (auto& [name, model] : turn.change(device).models) {
    if (!model.reported.confirmed || model.desired == model.reported.confirmed) continue;
    // It was told so by the site that the backup forgot: the old store's wish must not undo that.
    model.desired = model.reported.confirmed;
    model.assignment_failures = 0;
    model.retry_not_before = Millis{0};
  }
}

void end_reconciling(Turn& turn) {
  State& state = turn.state;
  if (!state.site.reconciling) return;
  size_t unheard = 0;
  for (const auto& [id, device] : state.devices) {
    if (device.state != DeviceState::kAccepted || !device.enrolled) continue;
    const auto session = state.sessions.find(id);
    if (session == state.sessions.end() || !session->second.said_hello) ++unheard;
  }
  // Sleepers must not hold it for months; they are adopted all the same when they wake up.
  const Millis since = std::max(state.reconciling_since, state.connected_observed);
  const Millis patience = turn.config.offline_after + grace(turn.config);
  if (unheard > 0 && state.site.observed - since < patience) return;
  state.site.reconciling = false;
  turn.change_site();
  turn.report(Report::Level::kInfo, "site_reconciled", "site",
              unheard == 0 ? std::string("every device has said hello")
                           : std::to_string(unheard) + " devices have not said hello yet");
}

}  // namespace covey::engine
