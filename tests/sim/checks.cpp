// SPDX-License-Identifier: Apache-2.0
// The invariants of docs/architecture.md, "Invariants, and where each is checked".
#include <algorithm>

#include "core/duration.hpp"
#include "gateway/codec/device_codec.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"
#include "tests/sim/world.hpp"
#include "tests/unit/engine/remembered.hpp"

namespace covey::sim {
namespace {

constexpr uint32_t kReloadEvery = 8;  // looks
constexpr Millis kRetryMin = 1s;      // of devices

}  // namespace

void World::check() {
  check_devices();
  if (!gateway_->running()) return;
  check_deployments();
  check_rollouts();
  check_counts();
  if (liar_) check_liar();
  if (!gateway_->idle()) return;
  check_history();
  check_labels();
  // A whole start costs more than all the rest; a difference stays until the next crash.
  if (++since_reload_ < kReloadEvery) return;
  since_reload_ = 0;
  check_reload();
}

void World::check_devices() {
  for (const auto& device : devices_) {
    if (device->flash().written_twice != 0) {
      fail(device->id().str() + " wrote a word twice at " +
           std::to_string(device->flash().written_twice_at));
    }
    if (device->flash().misaligned != 0) fail(device->id().str() + " wrote off alignment");
    if (!device->rude().empty()) fail(device->id().str() + " " + device->rude());
    if (!device->powered()) continue;
    if (device->goal_counter() > goals_issued_[device->id()]) {
      fail(device->id().str() + " accepted a goal that the gateway never issued");
    }
    if (!device->lost().empty()) fail(device->id().str() + " " + device->lost());
    const std::optional<Digest> confirmed = device->confirmed();
    if (confirmed) had_model_.insert(device->id());
    if (had_model_.contains(device->id()) && !device->runnable()) {
      fail(device->id().str() + " has no runnable model any more");
    }
    for (const std::optional<Digest>& digest : {confirmed, device->active()}) {
      if (digest && evil_.contains(*digest)) {
        fail(device->id().str() + " accepted a model that no trusted author signed");
      }
    }
  }
}

void World::check_deployments() {
  const engine::State& state = gateway_->engine().state();
  std::set<std::pair<DeviceId, ModelName>> busy;
  for (const uint64_t number : state.rollouts.in_progress) {
    const Deployment& deployment = state.rollouts.deployments.at(number);
    const DeviceModel& model =
        state.fleet.devices.at(deployment.device).models.at(deployment.release.model);
    const auto known = state.catalogue.artifacts.find(deployment.manifest);
    if (deployment.cause == Cause::kAssignment && !lies(deployment.device) &&
        known != state.catalogue.artifacts.end() &&
        known->second.artifact->manifest.security_version < model.security_floor) {
      fail(deployment.device.str() + " is to have what is below its security floor");
    }
    if (!busy.insert({deployment.device, deployment.release.model}).second) {
      fail("two deployments in progress on " + deployment.device.str());
    }
  }
  // What was durable before a crash must be final after it too.
  if (!gateway_->idle()) return;
  for (const auto& [number, deployment] : state.rollouts.deployments) {
    if (!has_ended(deployment.state)) {
      if (ended_.contains(number)) fail("deployment " + std::to_string(number) + " came back");
      continue;
    }
    const auto [known, added] = ended_.emplace(number, deployment.state);
    if (!added && known->second != deployment.state) {
      fail("ended deployment " + std::to_string(number) + " changed from " +
           std::string(to_string(known->second)) + " to " +
           std::string(to_string(deployment.state)));
    }
  }
}

void World::check_rollouts() {
  const engine::State& state = gateway_->engine().state();
  for (const auto& [name, rollout] : state.rollouts.by_name) {
    const auto index = state.rollouts.attempts.find(name);
    if (index == state.rollouts.attempts.end()) continue;
    const std::set<DeviceId> held(
        rollout.plan->order.end() - static_cast<std::ptrdiff_t>(rollout.plan->holdback),
        rollout.plan->order.end());
    uint32_t in_flight_now = 0;
    std::vector<uint32_t> per_stage(rollout.plan->rules.stages.size());
    for (const auto& [device, number] : index->second.rollout.newest) {
      const Deployment& deployment = state.rollouts.deployments.at(number);
      ++per_stage[deployment.stage];
      if (in_flight(deployment.state)) ++in_flight_now;
      if (held.contains(device)) fail(name.str() + " offered to its holdback");
      const bool offered = deployment.attempt > 0;
      if (offered && deployment.stage > 0 &&
          rollout.progress.stages[deployment.stage - 1].state != StageState::kPassed) {
        fail(name.str() + ": stage " + std::to_string(deployment.stage) +
             " was offered before the gates of the one before it passed");
      }
    }
    const std::optional<size_t> stage = current_stage(rollout.progress);
    if (stage && rollout.progress.state == RolloutState::kRunning) {
      const uint32_t limit = rollout.plan->rules.stages[*stage].max_in_flight;
      if (limit != 0 && in_flight_now > limit)
        fail(name.str() + ": more leases than the plan allows");
    }
    for (size_t i = 0; i < per_stage.size(); ++i) {
      const uint32_t begin = i == 0 ? 0 : rollout.plan->ends[i - 1];
      if (per_stage[i] > rollout.plan->ends[i] - begin) {
        fail(name.str() + ": devices of a stage and their states do not add up");
      }
      uint32_t counted = 0;
      for (const auto& [text, count] :
           engine::count_deployments(state, name, static_cast<uint32_t>(i))) {
        counted += count;
      }
      if (!rollout.progress.settled && counted != per_stage[i]) {
        fail(name.str() + ": counters do not add up");
      }
    }
  }
}

// However often they are said, and whatever was lost between.
void World::check_labels() {
  if (!labels_->answered()) return;
  if (const std::optional<std::string> wrong = labels_->difference()) fail(*wrong);
}

// Counters are those of the whole history, of which the engine holds a part.
void World::check_history() {
  std::map<engine::CountKey, uint32_t> counted;
  std::map<std::tuple<RolloutName, DeviceId, bool>, engine::CountKey> newest;
  const engine::State& state = gateway_->engine().state();
  for (const Deployment& row : gateway_->store().deployments()) {
    if (!state.rollouts.deployments.contains(row.number) && !has_ended(row.state)) {
      fail("deployment " + std::to_string(row.number) + " became history in progress");
    }
    if (!row.rollout) continue;
    const bool rollback = row.cause == Cause::kRollback;
    newest[{*row.rollout, row.device, rollback}] = {*row.rollout, row.stage, rollback,
                                                    std::string(to_string(row.state))};
  }
  for (const auto& [key, at] : newest) ++counted[at];
  for (const auto& [key, devices] : state.rollouts.counts) {
    const auto found = counted.find(key);
    if (devices != (found == counted.end() ? 0 : found->second)) {
      fail(std::get<0>(key).str() + ": " + std::to_string(devices) + " devices counted as " +
           std::get<3>(key) + ", the history has another number");
    }
    counted.erase(key);
  }
  if (!counted.empty()) fail("devices of a rollout are not counted");
}

void World::check_counts() {
  const engine::State& state = gateway_->engine().state();
  std::map<std::pair<DeviceId, Digest>, uint64_t> counted;
  for (const auto& [key, total] : state.telemetry.totals) {
    counted[{total.device, total.manifest}] += total.inferences;
  }
  for (const auto& device : devices_) {
    for (const auto& [manifest, made] : device->truth().inferences) {
      const auto found = counted.find({device->id(), manifest});
      if (found != counted.end() && found->second > made) {
        fail(device->id().str() + ": " + std::to_string(found->second) +
             " inferences counted, but only " + std::to_string(made) + " made");
      }
    }
  }
}

void World::check_reload() {
  Result<Snapshot> stored = gateway_->store().load({});
  if (!stored) return fail("the store can't be loaded");
  Snapshot memory = gateway_->engine().snapshot();
  // Rows of telemetry are behind the log: what a start makes of both.
  const engine::Engine again = gateway_->reload();
  const Snapshot replayed = again.snapshot();
  // Observed time runs on between writes; everything else must be the same.
  memory.site.observed = stored->site.observed;
  if (memory.site != stored->site) fail("memory and store differ: site");
  if (memory.devices != stored->devices) fail("memory and store differ: devices");
  if (memory.trusted_keys != stored->trusted_keys) fail("memory and store differ: keys");
  if (memory.roots != stored->roots) fail("memory and store differ: roots");
  if (memory.tokens != stored->tokens) fail("memory and store differ: tokens");
  if (memory.releases != stored->releases) fail("memory and store differ: releases");
  if (memory.rollouts != stored->rollouts) fail("memory and store differ: rollouts");
  if (memory.gates != stored->gates) fail("memory and store differ: gates");
  if (memory.deployments != stored->deployments) fail("memory and store differ: deployments");
  if (memory.counts != stored->counts) fail("memory and store differ: counts");
  if (memory.assignments != stored->assignments) fail("memory and store differ: assignments");
  if (memory.requests != stored->requests) fail("memory and store differ: requests");
  if (memory.streams != replayed.streams) fail("memory and store differ: streams");
  if (memory.totals != replayed.totals) fail("memory and store differ: totals");
  if (memory.alerts != stored->alerts) fail("memory and store differ: alerts");
  const auto remembered = [&](const engine::Engine& engine) {
    return test::remembered(engine.state(), engine.config(), gateway_->now());
  };
  if (!(remembered(gateway_->engine()) == remembered(again))) {
    fail("memory and store differ: windows");
  }
  check_fleet_counts();
  check_derived(*stored);
}

// What the rollouts' room keeps beside its rows is what they say.
void World::check_derived(const Snapshot& stored) {
  const engine::State& state = gateway_->engine().state();
  const engine::RolloutsState& kept = state.rollouts;
  engine::State derived;
  for (const Rollout& rollout : stored.rollouts) {
    if (!has_ended(rollout.progress.state)) engine::index_open(derived.rollouts, rollout);
  }
  for (const auto& [device, models] : derived.rollouts.open_rollouts) {
    const auto known = state.fleet.devices.find(device);
    if (known == state.fleet.devices.end() || known->second.state != DeviceState::kAccepted)
      continue;
    for (const auto& [model, name] : models) {
      const Rollout* open = engine::open_rollout_of(state, device, model);
      if (open == nullptr || open->plan->name != name) fail(device.str() + " lost its rollout");
    }
  }
  for (const auto& [name, rollout] : kept.by_name) {
    const bool ended = has_ended(rollout.progress.state);
    const bool settled = rollout.progress.settled;
    if (kept.open.contains(name) == ended || kept.unsettled.contains(name) != (ended && !settled) ||
        kept.attempts.contains(name) == settled) {
      fail(name.str() + " is not where its state belongs");
    }
  }
  engine::RolloutsState counted = kept;
  engine::recount(counted);
  engine::recount_receipts(counted, state.fleet);
  if (counted.unreceived != kept.unreceived ||
      counted.unreceived_counts != kept.unreceived_counts) {
    fail("offers that nobody has shown are not counted as they stand");
  }
  if (counted.assignments_in_progress != kept.assignments_in_progress) {
    fail("assignments in progress are not counted");
  }
  for (const auto& [name, index] : kept.attempts) {
    const engine::RolloutIndex& other = counted.attempts.at(name);
    const auto check = [&](const engine::Attempts& has, const engine::Attempts& should) {
      std::set<uint64_t> queued = has.here;
      queued.insert(has.away.begin(), has.away.end());
      if (queued != should.here || has.flying != should.flying || has.unproven != should.unproven ||
          has.retried != should.retried || has.awaited != should.awaited ||
          has.with_previous != should.with_previous || has.left != should.left ||
          has.first_models != should.first_models) {
        fail(name.str() + ": attempts are not counted as they stand");
      }
    };
    check(index.rollout, other.rollout);
    check(index.rollback, other.rollback);
  }
}

void World::check_fleet_counts() {
  const engine::FleetState& fleet = gateway_->engine().state().fleet;
  size_t waiting = 0;
  size_t enrolled = 0;
  size_t said_hello = 0;
  for (const auto& [id, device] : fleet.devices) {
    const bool accepted = device.state == DeviceState::kAccepted;
    if (engine::FleetState::waits(device)) ++waiting;
    if (!accepted || !device.enrolled) continue;
    ++enrolled;
    const engine::Session* session = fleet.session_of(id);
    if (session != nullptr && session->said_hello) ++said_hello;
  }
  if (fleet.waiting != waiting || fleet.enrolled != enrolled || fleet.said_hello != said_hello) {
    fail("counts of the fleet are not those of its devices");
  }
}

void World::check_effect(const engine::Effect& effect) {
  if (const auto* goal = std::get_if<engine::PublishGoal>(&effect)) {
    uint64_t& issued = goals_issued_[goal->device];
    issued = std::max(issued, goal->goal.counter);
    if (const Result<Bytes> bytes = codec::encode(goal->goal, goal->order_key)) {
      const auto [said, first] = goals_said_.try_emplace(
          {goal->device, goal->goal.site_epoch, goal->goal.counter}, *bytes);
      if (!first && said->second != *bytes) {
        fail("goal " + std::to_string(goal->goal.counter) + " of " + goal->device.str() +
             " was said with two contents");
      }
    }
    const uint64_t durable = gateway_->store().look([&](const memory::Tables& tables) {
      const auto row = tables.devices.find(goal->device);
      return row == tables.devices.end() ? 0 : row->second.goal_counter;
    });
    if (durable < goal->goal.counter) {
      fail("goal " + std::to_string(goal->goal.counter) + " of " + goal->device.str() +
           " left before it was durable");
    }
  } else if (const auto* chunks = std::get_if<engine::PublishChunks>(&effect)) {
    if (chunks->result != engine::ChunkResult::kOk || lies(chunks->device)) return;
    result_.chunks_sent += chunks->indexes.size();
    for (const uint32_t index : chunks->indexes) {
      const auto [said, first] =
          chunks_said_.try_emplace({chunks->device, chunks->manifest, index}, schedule_.now());
      if (!first && schedule_.now() - said->second < kRetryMin) ++result_.chunks_again;
      said->second = schedule_.now();
    }
  } else if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) {
    // What can't be counted is acknowledged, or it would be said for ever.
    if (lies(ack->device)) return;
    for (const engine::StreamAckMessage& said : ack->ack.streams) {
      const auto is_of = [&](const auto& row) {
        return row.device == ack->device && row.boot_id == ack->ack.boot_id &&
               engine::prefix_of(row.manifest) == said.manifest;
      };
      const uint64_t durable = gateway_->store().look([&](const memory::Tables& tables) {
        uint64_t highest = 0;
        for (const auto& [key, stream] : tables.streams) {
          // A boot of long ago, which was forgotten whole.
          const bool forgotten = stream.device == ack->device &&
                                 stream.boot_id == ack->ack.boot_id && stream.manifest.is_zero();
          if (forgotten) return ~uint64_t{0};
          if (is_of(stream)) highest = std::max(highest, stream.mark.cumulative);
        }
        for (const ReportRecord& report : tables.reports) {
          if (is_of(report)) highest = std::max(highest, report.sequence);
        }
        return highest;
      });
      if (said.cumulative > durable) {
        fail("a report of " + ack->device.str() + " was acknowledged before it was durable");
      }
    }
  }
}

// A repeated request is not answered twice. A world loses up to a tenth of its messages on each of
// two ways, so 1 / 0.9^2 chunks are sent for one that is written; what was on its way in a fault is
// sent again, and so is what a job had that was given up: a window for each. Where the gateway or
// its link is slow, more is on its way at a fault, and a chunk that was lost is asked for again
// beside one that still waits.
void World::check_chunks() {
  constexpr uint64_t kWindow = 8;
  uint64_t needed = 0;
  uint64_t faults = 4 + gateway_->crashes;
  for (const auto& device : devices_) {
    needed += device->chunks_fetched();
    faults += device->truth().power_cuts + device->truth().resets;
  }
  const uint64_t windows = kWindow * faults;
  const uint64_t percent = service_max_ == 0ms ? 125 : 150;
  if (result_.chunks_sent > needed * percent / 100 + windows) {
    fail(std::to_string(result_.chunks_sent) + " chunks sent, where " + std::to_string(needed) +
         " were needed");
  }
  if (service_max_ == 0ms && result_.chunks_again > needed / 20 + windows) {
    fail(std::to_string(result_.chunks_again) + " chunks of " + std::to_string(needed) +
         " sent again before their device asked again");
  }
}

void World::check_end() {
  if (!gateway_->running()) return fail("the gateway does not run at the end");
  const engine::State& state = gateway_->engine().state();
  if (!settled()) {
    std::string who;
    for (const auto& device : devices_) {
      const auto known = state.fleet.devices.find(device->id());
      if (known == state.fleet.devices.end()) {
        who += " " + device->id().str() + "(unknown)";
        continue;
      }
      if (!device->quiet()) who += " " + device->id().str() + "(" + device->unsettled() + ")";
      for (const auto& [name, model] : known->second.models) {
        if (!parked(device->id()) && model.desired && !evil_.contains(*model.desired) &&
            model.reported.confirmed != model.desired) {
          who += " " + device->id().str() + "(wants " + short_hex(*model.desired) + ", has " +
                 (model.reported.confirmed ? short_hex(*model.reported.confirmed) : "none") +
                 ", phase " + model.reported.phase + " " + model.reported.reason + ", " +
                 std::to_string(model.assignment_failures) + " failures, not before " +
                 to_string(model.retry_not_before) + " at " + to_string(state.site.observed) + ")";
        }
      }
    }
    for (const uint64_t number : state.rollouts.in_progress) {
      const Deployment& d = state.rollouts.deployments.at(number);
      if (parked(d.device) || lies(d.device)) continue;
      who += " deployment " + std::to_string(number) + " of " + d.device.str() + " " +
             std::string(to_string(d.state));
    }
    for (const auto& [name, rollout] : state.rollouts.by_name) {
      if (rollout.progress.state == RolloutState::kRunning ||
          rollout.progress.state == RolloutState::kRollingBack) {
        who += " rollout " + name.str() + " " + std::string(to_string(rollout.progress.state));
      }
    }
    for (size_t i = 0; i < engine::kDrops; ++i) {
      if (state.counters.drops[i] == 0) continue;
      who += " " + std::string(to_string(static_cast<engine::Drop>(i))) + "=" +
             std::to_string(state.counters.drops[i]);
    }
    if (!gateway_->idle()) who += " a commit is under way";
    if (!labels_->answered()) who += " labels without an answer";
    return fail("does not converge when faults stop:" + who);
  }
  check_chunks();
  for (const auto& device : devices_) {
    const ::covey::Device& known = state.fleet.devices.at(device->id());
    for (const auto& [name, model] : known.models) {
      if (model.reported.confirmed != device->confirmed()) {
        fail(device->id().str() + ": what it runs is not what the gateway believes");
      }
    }
    for (const auto& [manifest, made] : device->truth().inferences) {
      uint64_t counted = 0;
      for (const auto& [key, total] : state.telemetry.totals) {
        if (total.device == device->id() && total.manifest == manifest) counted += total.inferences;
      }
      const auto lost = device->truth().forgotten.find(manifest);
      const uint64_t forgotten = lost == device->truth().forgotten.end() ? 0 : lost->second;
      if (counted + forgotten < made) {
        fail(device->id().str() + ": " + std::to_string(made) + " inferences made, only " +
             std::to_string(counted) + " counted although power was kept");
      }
    }
  }
}

}  // namespace covey::sim
