// SPDX-License-Identifier: Apache-2.0
// What a site that runs for years does not keep for ever: rollouts that are over, and assignments
// that have newer ones before them.
#include <algorithm>

#include <fmt/format.h>

#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr Millis kLookedAtEvery = 1h;

// The newest attempt of a device says how it came to what it has, and an assignment what others are
// to have: their rollouts stay. True: all has been looked at.
bool find_needed(Turn& turn, History& history) {
  const RolloutsState& rollouts = turn.state.rollouts;
  auto next = rollouts.deployments.upper_bound(history.looked_until);
  for (size_t n = 0; n < kAttemptsLookedAtPerTick && next != rollouts.deployments.end(); ++n) {
    if (next->second.rollout) history.needed.insert(*next->second.rollout);
    history.looked_until = next->first;
    ++next;
  }
  if (next != rollouts.deployments.end()) return false;
  for (const AssignmentRecord& record : rollouts.assignments) history.needed.insert(record.rollout);
  return true;
}

// The oldest first: those whose time is over, and those above the bound.
std::deque<RolloutName> find_leaving(const Turn& turn, const std::set<RolloutName>& needed) {
  std::vector<std::pair<Millis, RolloutName>> over;
  for (const auto& [name, rollout] : turn.state.rollouts.by_name) {
    if (rollout.progress.settled && !needed.contains(name)) {
      over.emplace_back(rollout.progress.end_wall, name);
    }
  }
  std::sort(over.begin(), over.end());
  const size_t too_many = over.size() > kRolloutsOverMax ? over.size() - kRolloutsOverMax : 0;
  const Millis before = turn.now.wall - turn.config.history_retention;
  std::deque<RolloutName> leaving;
  for (const auto& [end, name] : over) {
    if (leaving.size() >= too_many && end >= before) break;
    leaving.push_back(name);
  }
  return leaving;
}

void forget(Turn& turn, const RolloutName& name) {
  RolloutsState& rollouts = own_rollouts(turn);
  const auto rollout = rollouts.by_name.find(name);
  // Its attempts may still be on their way to the archive.
  if (rollout == rollouts.by_name.end() || turn.rollout_rows.rollouts.contains(name)) return;
  turn.write(ForgetRollout{name});
  const ReleaseId release = rollout->second.plan->rules.release;
  rollouts.by_name.erase(rollout);
  rollouts.gates.erase(rollouts.gates.lower_bound({name, 0}),
                       rollouts.gates.upper_bound({name, UINT32_MAX}));
  const auto counts = rollouts.counts.lower_bound(CountKey{name, 0, false, ""});
  auto end = counts;
  while (end != rollouts.counts.end() && std::get<0>(end->first) == name) ++end;
  rollouts.counts.erase(counts, end);
  rollouts.unreceived_counts.erase(
      rollouts.unreceived_counts.lower_bound({name, 0, false}),
      rollouts.unreceived_counts.upper_bound({name, UINT32_MAX, true}));
  const bool another =
      std::any_of(rollouts.by_name.begin(), rollouts.by_name.end(), [&](const auto& entry) {
        const Rollout& other = entry.second;
        return other.progress.settled && other.progress.state == RolloutState::kSucceeded &&
               other.plan->rules.release == release;
      });
  if (!another) rollouts.settled_releases.erase(release);
}

}  // namespace

void forget_rollouts(Turn& turn) {
  History& history = own_rollouts(turn).history;
  if (!history.leaving.empty()) {
    if (turn.now.mono - history.last_left < kRolloutForgottenEvery) return;
    history.last_left = turn.now.mono;
    const RolloutName name = history.leaving.front();
    history.leaving.pop_front();
    return forget(turn, name);
  }
  if (!history.going_on) {
    if (turn.now.mono - history.began < kLookedAtEvery || schedules_held(turn.state)) return;
    history = {.going_on = true, .began = turn.now.mono};
  }
  if (!find_needed(turn, history)) return;
  history.going_on = false;
  history.leaving = find_leaving(turn, history.needed);
  history.needed.clear();
}

void bound_assignments(Turn& turn, const RolloutName& settled) {
  std::vector<AssignmentRecord>& all = own_rollouts(turn).assignments;
  const auto newest = std::ranges::find(all, settled, &AssignmentRecord::rollout);
  if (newest == all.end()) return;
  // Older ones of its target are for devices that can't take the newer ones.
  size_t newer = 0;
  for (auto next = std::next(newest); next != all.begin();) {
    --next;
    if (next->model != newest->model || next->target != newest->target) continue;
    if (newer++ < kAssignmentsPerTargetMax) continue;
    turn.write(RemoveAssignment{next->number});
    next->number = 0;
  }
  std::erase_if(all, [](const AssignmentRecord& record) { return record.number == 0; });
  while (all.size() > kAssignmentsMax) {
    const AssignmentRecord& oldest = all.front();
    turn.log(LogLine::Level::kWarning, "assignment_dropped", oldest.rollout.str(),
             fmt::format("target {}: at most {} targets have a release of their own; devices that "
                         "come new do not get {} any more",
                         oldest.target.empty() ? "all" : oldest.target, kAssignmentsMax,
                         to_string(oldest.release)));
    turn.write(RemoveAssignment{oldest.number});
    all.erase(all.begin());
  }
}

}  // namespace covey::engine
