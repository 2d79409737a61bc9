// SPDX-License-Identifier: Apache-2.0
// A rollout goes back, some devices per tick: what is in progress is cancelled, whoever was offered
// the release gets what it had before, and goes there when it is here. Where it had ended, its
// standing assignment goes too. Each step can be repeated: a start begins the walks anew.
#include <algorithm>

#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"

namespace covey::engine {
namespace {

// The device of a deployment of the rollout, or of its standing assignment, gets what it had
// before.
void send_back(Turn& turn, const Rollout& rollout, const Deployment& deployment) {
  const State& state = turn.state;
  const ModelName& name = rollout.plan->rules.release.model;
  const DeviceId id = deployment.device;
  const Digest previous = *deployment.previous;
  const uint32_t stage = deployment.stage;
  if (const Deployment* open = deployment_in_progress(state, id, name);
      open != nullptr && open->cause == Cause::kAssignment &&
      open->release == rollout.plan->rules.release) {
    advance(turn, open->number, deployment::Cancel{"ROLLBACK"});
  }
  DeviceModel& model = change_model(turn, id, name);
  model.desired = previous;
  model.assignment_failures = 0;
  model.retry_not_before = Millis{0};
  if (deployment_in_progress(state, id, name) != nullptr) return;
  // Who has left goes back when it is accepted again.
  if (state.fleet.devices.at(id).state != DeviceState::kAccepted) return;
  const KnownArtifact* const known = artifact_of(state, name, previous);
  create_deployment(turn,
                    {.device = id,
                     .release = known != nullptr ? known->release : ReleaseId{name, Version{}},
                     .manifest = previous,
                     .rollout = rollout.plan->name,
                     .stage = stage,
                     .cause = Cause::kRollback});
}

// It had ended: newer decisions about a device stand (last in, first out).
bool is_late(const Rollout& rollout) { return rollout.progress.end_observed.count() != 0; }

bool bring_back(Turn& turn, const Rollout& rollout, RolloutIndex& index, const DeviceId& device,
                uint64_t number) {
  const State& state = turn.state;
  const Deployment& deployment = state.rollouts.deployments.at(number);
  // Only what was offered once has a previous release; a first model has none.
  if (index.rollback.newest.contains(device)) return false;
  const DeviceModel& model =
      state.fleet.devices.at(device).models.at(rollout.plan->rules.release.model);
  if (!deployment.previous) {
    if (model.reported.confirmed == deployment.manifest) ++index.kept;
    return false;
  }
  if (is_late(rollout) && model.desired != deployment.manifest) {
    ++index.newer;
    return false;
  }
  send_back(turn, rollout, deployment);
  return true;
}

// What the rollout offered is on its way back already; these had it from the assignment.
bool unassign(Turn& turn, const Rollout& rollout, RolloutIndex& index, const Device& device) {
  const State& state = turn.state;
  const ReleaseId& release = rollout.plan->rules.release;
  const auto found = device.models.find(release.model);
  if (found == device.models.end() || !found->second.desired) return false;
  const DeviceModel& model = found->second;
  const auto known = state.catalogue.artifacts.find(*model.desired);
  if (known == state.catalogue.artifacts.end() || known->second.release != release) {
    return false;
  }
  if (!rollout.plan->rules.target.matches(DeviceFields(state, device))) return false;
  const auto newest = state.rollouts.newest_deployment.find({device.id, release.model});
  const Deployment* given = newest == state.rollouts.newest_deployment.end()
                                ? nullptr
                                : &state.rollouts.deployments.at(newest->second);
  if (given != nullptr && given->cause == Cause::kAssignment && given->release == release &&
      given->previous && given->previous != model.desired) {
    send_back(turn, rollout, *given);
    return true;
  }
  if (model.reported.confirmed == model.desired) {
    if (!index.rollout.newest.contains(device.id)) ++index.kept;
    return false;
  }
  DeviceModel& changed = change_model(turn, device.id, release.model);
  changed.desired = changed.reported.confirmed;
  return true;
}

bool cancel_all(Turn& turn, Attempts& attempts, TickBudget& budget) {
  for (std::set<uint64_t>* numbers : {&attempts.here, &attempts.away, &attempts.flying}) {
    while (!numbers->empty()) {
      if (!budget.take_change()) return false;
      advance(turn, *numbers->begin(), deployment::Cancel{"ROLLBACK"});
    }
  }
  return true;
}

void offer_back(Turn& turn, const Rollout& rollout, Attempts& attempts, TickBudget& budget) {
  const State& state = turn.state;
  if (!state.clocks.broker_connected()) return;
  while (!attempts.here.empty()) {
    const auto first = attempts.here.begin();
    if (!can_be_offered(state, state.rollouts.deployments.at(*first))) {
      if (!budget.take_look()) return;
      attempts.away.insert(attempts.here.extract(first));
      continue;
    }
    if (!budget.take_telling()) return;
    offer(turn, *first, rollout.plan->rules.attempt.deadline);
  }
}

// Somebody who is not back yet, and for whom another attempt is left, could come: the one that was
// found last, or the next.
bool somebody_is_here(const State& state, Attempts& attempts) {
  const auto is_here = [&](uint64_t number) {
    return is_reachable(state, state.rollouts.deployments.at(number).device);
  };
  const auto start = attempts.awaited.lower_bound(attempts.witness);
  auto found = std::find_if(start, attempts.awaited.end(), is_here);
  if (found == attempts.awaited.end()) {
    found = std::find_if(attempts.awaited.begin(), start, is_here);
    if (found == start) return false;
  }
  attempts.witness = *found;
  return true;
}

}  // namespace

void begin_rollback(Turn& turn, const RolloutName& name) {
  RolloutsState& rollouts = own_rollouts(turn);
  const Rollout& rollout = rollouts.by_name.at(name);
  RolloutIndex& index = rollouts.attempts.at(name);
  index.back = {.going_on = true, .until = {}};
  index.kept = 0;
  index.newer = 0;
  if (is_late(rollout)) {
    std::erase_if(rollouts.assignments, [&](const AssignmentRecord& record) {
      if (record.rollout != name) return false;
      turn.write(RemoveAssignment{record.number});
      return true;
    });
    index.fleet = {.going_on = true, .until = {}};
  }
  TickBudget budget;
  (void)bring_all_back(turn, name, budget);
}

bool bring_all_back(Turn& turn, const RolloutName& name, TickBudget& budget) {
  RolloutsState& rollouts = own_rollouts(turn);
  const Rollout& rollout = rollouts.by_name.at(name);
  RolloutIndex& index = rollouts.attempts.at(name);
  if (!cancel_all(turn, index.rollout, budget)) return false;
  const bool back =
      walk(index.back, index.rollout.newest, budget, [&](const DeviceId& id, uint64_t number) {
        return bring_back(turn, rollout, index, id, number);
      });
  return back && walk(index.fleet, turn.state.fleet.devices, budget,
                      [&](const DeviceId&, const Device& device) {
                        return unassign(turn, rollout, index, device);
                      });
}

rollout::RollbackFacts go_back(Turn& turn, const RolloutName& name, TickBudget& budget) {
  RolloutsState& rollouts = own_rollouts(turn);
  RolloutIndex& index = rollouts.attempts.at(name);
  const bool all = bring_all_back(turn, name, budget);
  offer_back(turn, rollouts.by_name.at(name), index.rollback, budget);
  return rollback_facts(turn, name, all);
}

rollout::RollbackFacts rollback_facts(Turn& turn, const RolloutName& name, bool told) {
  RolloutIndex& index = own_rollouts(turn).attempts.at(name);
  Attempts& back = index.rollback;
  const size_t proven = back.newest.size() - back.unproven.size() - back.left;
  return {.awaited = somebody_is_here(turn.state, back) ? 1U : 0U,
          .outstanding = static_cast<uint32_t>(back.unproven.size()),
          .back = static_cast<uint32_t>(proven),
          .kept = index.kept,
          .newer = index.newer,
          .told = told};
}

}  // namespace covey::engine
