// SPDX-License-Identifier: Apache-2.0
// Rollouts, their deployments and the standing assignments. What this room offers to the others; it
// alone changes RolloutsState. Engine thread.
#pragma once

#include <string>
#include <vector>

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- rollouts.cpp

Result<CommandReply> create_rollout(Turn& turn, const CreateRollout& command,
                                    const std::string& actor);
// It is there, and as the caller has seen it (etag "": whatever it is now).
Status check_rollout(const State& state, const RolloutName& name, const std::string& etag);
Result<CommandReply> command_rollout(Turn& turn, const RolloutName& name,
                                     const rollout::Event& event, const std::string& etag);
Result<CommandReply> resume_rollout(Turn& turn, const RolloutName& name, const std::string& etag);
// Rollouts that go on with a release which is withheld pause; their names.
std::vector<std::string> pause_withheld(Turn& turn);
Result<CommandReply> abort_rollout(Turn& turn, const AbortRollout& command,
                                   const std::string& etag);
Result<CommandReply> approve_rollout(Turn& turn, const ApproveRollout& command,
                                     const std::string& approver, const std::string& etag);
Result<CommandReply> roll_back(Turn& turn, const RollBackRollout& command, const std::string& etag);
// Every tick: stages go on, releases are offered, gates are asked, some devices at a time.
void advance_rollouts(Turn& turn);
// New evidence about the model: gates are asked at the next tick.
void judge_soon(Turn& turn, const ModelName& model);
// What the gates of a stage said last.
void note_gates(Turn& turn, GateRecord record);
// At the start: what is derived from the rows.
void derive_rollouts(RolloutsState& rollouts, const State& state);

// ---- open.cpp

// The rollout that has plans with the device; nullptr: none.
const Rollout* open_rollout_of(const State& state, const DeviceId& device, const ModelName& model);
// Called where a rollout begins, comes back, or is loaded; and for each device when it is over.
void index_open(RolloutsState& rollouts, const Rollout& rollout);
RolloutIndex index_of(const RolloutPlan& plan);
void forget_open(RolloutsState& rollouts, const Rollout& rollout, const DeviceId& device);
// Another rollout of the same model wants some of the same devices: ROLLOUT_OVERLAPS.
Status refuse_overlap(const State& state, const Rollout& rollout);

// ---- requests.cpp

// What a request made; the oldest is forgotten where there are too many.
void note_request(Turn& turn, const std::string& request_id, const std::string& subject,
                  const Digest& content);
void know_request(RolloutsState& rollouts, RequestRecord record);

// ---- stages.cpp

// Rows, at the end of the turn; a rollout's carries the revision of that turn.
void write_rollouts(Turn& turn);
void write_deployments(Turn& turn);

void begin_stage(Turn& turn, const RolloutName& name, size_t stage);
void queue_stage(Turn& turn, const RolloutName& name, TickBudget& budget);
// Of the stage that goes on: devices that have no deployment yet.
uint32_t devices_to_queue(const Rollout& rollout);
void offer_stage(Turn& turn, const Rollout& rollout, TickBudget& budget);
void attempt_again(Turn& turn, const Rollout& rollout, const Deployment& ended);
// Without a verdict.
rollout::StageFacts stage_facts(const State& state, const Rollout& rollout);

// ---- rollback.cpp

void begin_rollback(Turn& turn, const RolloutName& name);
// True: everybody was told.
bool bring_all_back(Turn& turn, const RolloutName& name, TickBudget& budget);
rollout::RollbackFacts go_back(Turn& turn, const RolloutName& name, TickBudget& budget);

// How that stands; `told`: everybody knows.
rollout::RollbackFacts rollback_facts(Turn& turn, const RolloutName& name, bool told);

// ---- departure.cpp

Result<CommandReply> skip_device(Turn& turn, const SkipDevice& command, const std::string& etag);
// Open rollouts do not wait for the device any more; what is desired of it stands.
void leave_rollouts(Turn& turn, const Device& device, std::string_view reason);
// Nothing is under way to it any more.
void leave_fleet(Turn& turn, const Device& device, std::string_view reason);
// It is removed: its attempts are history.
void forget_attempts(Turn& turn, const Device& device);
// Its facts are others: what does not fit them ends, and is it put right?
void device_has_changed(Turn& turn, const DeviceId& device);

// ---- ending.cpp

void begin_ending(Turn& turn, const RolloutName& name);
void end_all(Turn& turn, const RolloutName& name, TickBudget& budget);

// ---- deployments.cpp

const Deployment* deployment_in_progress(const State& state, const DeviceId& device,
                                         const ModelName& model);
const Deployment& create_deployment(Turn& turn, Deployment deployment);
void advance(Turn& turn, uint64_t number, const deployment::Event& event);
void offer(Turn& turn, uint64_t number, Millis deadline_after);
void on_model_report(Turn& turn, const Device& device, const ModelReport& report);
// The fleet tells: a device came online, or out of quarantine. What waits for it goes on.
void device_is_here(Turn& turn, const DeviceId& device);

// ---- expiry.cpp: every tick, those whose time has come

void expire_deployments(Turn& turn);
void retry_deployments(Turn& turn);

// ---- admission.cpp

// The release's artifact for this device, and why it can't be taken where it can't.
struct Admission {
  const KnownArtifact* artifact = nullptr;
  std::string reason;
  std::string explanation;
};
Admission admit(const State& state, const ReleaseId& release, const Device& device);
// Its device is here, and its goal has room beside the work for other models. If not, its turn
// comes when the device is here again, or that work has ended.
bool can_be_offered(const State& state, const Deployment& deployment);

// ---- receipts.cpp

// Whether the device is known to have had the goal; false also where only a later goal is
// outstanding, and where the gateway ended the attempt.
bool was_received(const FleetState& fleet, const Deployment& deployment);
// At the end of a turn, when goals have been renewed.
void note_receipts(Turn& turn);
// As many as are shown soon may be offered; every tick.
void pace_tellings(Turn& turn);
uint32_t tellings_left(const State& state);
// All of it anew: at the start, and to check (tests/sim).
void recount_receipts(RolloutsState& rollouts, const FleetState& fleet);

// ---- flow.cpp

void note_flow(Turn& turn, const ChunkFlow& chunks);
double chunks_per_s(const State& state);      // at which they leave
Millis chunk_wait(const State& state);        // of one that is asked for now
uint32_t transfers_left(const State& state);  // that may begin
// nullopt: it may be sent now. Else when the turn of so many will have come, from now.
std::optional<Millis> give_turn(Turn& turn, size_t chunks);

// ---- pace.cpp

// What a tick's time is worth, in bytes to send and in offers to make: a rate is the same however
// often the engine ticks.
void earn(Turn& turn, Millis passed);
uint32_t offers_left(const State& state);
void spend_offers(Turn& turn, uint32_t offers);

// ---- archive.cpp

// One device more, or less, stands where this attempt does.
void count(Turn& turn, const Deployment& newest, bool more);
// Rollouts that can't be rolled back any more give their deployments away.
void settle_rollouts(Turn& turn);
void archive_deployments(Turn& turn);

// ---- history.cpp: rollouts that are over do not stay for ever

// Every tick: some looks, or one rollout.
void forget_rollouts(Turn& turn);
// One that succeeded is settled: assignments above their bounds go, the oldest first.
void bound_assignments(Turn& turn, const RolloutName& settled);

// ---- assignments.cpp

// The device is to have the release, as far as it can take it. True: something changed.
bool desire(Turn& turn, const Device& device, const ReleaseId& release);
void assign_device(Turn& turn, const Device& device);
void reconcile(Turn& turn);

// ---- transfer.cpp

void on_fetch(Turn& turn, const Device& device, const FetchMessage& fetch, Millis arrived);

}  // namespace covey::engine
