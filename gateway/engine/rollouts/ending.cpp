// SPDX-License-Identifier: Apache-2.0
// What a rollout that has ended leaves to do, some devices per tick: what was queued is cancelled,
// its devices are free for others, and after a success whoever matches its target is to have the
// release. Each step can be repeated: a start begins anew what is not noted as done.
#include <algorithm>
#include <vector>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

bool cancel_rest(Turn& turn, const Rollout& rollout, Attempts& attempts, TickBudget& budget) {
  const bool now = rollout.progress.cancels;
  std::vector<std::set<uint64_t>*> all{&attempts.here, &attempts.away};
  if (now) all.push_back(&attempts.flying);
  for (std::set<uint64_t>* numbers : all) {
    while (!numbers->empty()) {
      if (!budget.take_change()) return false;
      advance(turn, *numbers->begin(), deployment::Cancel{now ? "ABORTED" : "ROLLOUT_ENDED"});
    }
  }
  return true;
}

bool free_devices(Turn& turn, const Rollout& rollout, RolloutIndex& index, TickBudget& budget) {
  RolloutsState& rollouts = own_rollouts(turn);
  for (; index.freed < rollout.plan->order.size(); ++index.freed) {
    if (!budget.take_look()) return false;
    const DeviceId& device = rollout.plan->order[index.freed];
    forget_open(rollouts, rollout, device);
    // Whoever waited for the rollout to be over may be put right now.
    rollouts.reconcile_due.insert(device);
  }
  return true;
}

uint64_t next_assignment(const RolloutsState& rollouts) {
  uint64_t number = 1;
  for (const AssignmentRecord& record : rollouts.assignments) {
    number = std::max(number, record.number + 1);
  }
  return number;
}

// Those that another rollout has plans with wait for its end; newer assignments come first.
bool assign(Turn& turn, const Rollout& rollout, const RolloutIndex& index, const Device& device,
            const std::vector<Filter>& newer) {
  const State& state = turn.state;
  const Plan& rules = rollout.plan->rules;
  if (device.state != DeviceState::kAccepted || index.held.contains(device.id)) {
    return false;
  }
  const DeviceFields fields(state, device);
  if (!rules.target.matches(fields)) return false;
  const Rollout* open = open_rollout_of(state, device.id, rules.release.model);
  if (open != nullptr && open->plan->name != rollout.plan->name) return false;
  const auto matches = [&](const Filter& target) { return target.matches(fields); };
  if (std::any_of(newer.begin(), newer.end(), matches)) return false;
  return desire(turn, device, rules.release);
}

std::vector<Filter> newer_targets(const RolloutsState& rollouts, const Rollout& rollout) {
  std::vector<Filter> newer;
  bool later = false;
  for (const AssignmentRecord& record : rollouts.assignments) {
    if (later && record.model == rollout.plan->rules.release.model) {
      if (Result<Filter> target = Filter::parse(record.target)) newer.push_back(*std::move(target));
    }
    later = later || record.rollout == rollout.plan->name;
  }
  return newer;
}

bool assign_all(Turn& turn, Rollout& rollout, RolloutIndex& index, TickBudget& budget) {
  if (!rollout.progress.assigning) return true;
  const std::vector<Filter> newer = newer_targets(turn.state.rollouts, rollout);
  if (!walk(index.fleet, turn.state.fleet.devices, budget,
            [&](const DeviceId&, const Device& device) {
              return assign(turn, rollout, index, device, newer);
            })) {
    return false;
  }
  rollout.progress.assigning = false;
  turn.rollout_rows.rollouts.insert(rollout.plan->name);
  return true;
}

}  // namespace

void begin_ending(Turn& turn, const RolloutName& name) {
  RolloutsState& rollouts = own_rollouts(turn);
  Rollout& rollout = rollouts.by_name.at(name);
  if (rollout.progress.state == RolloutState::kSucceeded) {
    AssignmentRecord record{.model = rollout.plan->rules.release.model,
                            .rollout = name,
                            .target = rollout.plan->rules.target.text(),
                            .release = rollout.plan->rules.release,
                            .number = next_assignment(rollouts)};
    rollouts.assignments.push_back(record);
    turn.write(PutAssignment{std::move(record)});
    rollout.progress.assigning = true;
    rollouts.attempts.at(name).fleet = {.going_on = true, .until = {}};
  }
  rollouts.attempts.at(name).freed = 0;
  rollouts.ending.insert(name);
  TickBudget budget;
  end_all(turn, name, budget);
}

void end_all(Turn& turn, const RolloutName& name, TickBudget& budget) {
  RolloutsState& rollouts = own_rollouts(turn);
  Rollout& rollout = rollouts.by_name.at(name);
  RolloutIndex& index = rollouts.attempts.at(name);
  if (cancel_rest(turn, rollout, index.rollout, budget) &&
      free_devices(turn, rollout, index, budget) && assign_all(turn, rollout, index, budget)) {
    rollouts.ending.erase(name);
  }
}

}  // namespace covey::engine
