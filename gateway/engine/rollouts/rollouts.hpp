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
Result<CommandReply> command_rollout(Turn& turn, const RolloutName& name,
                                     const rollout::Event& event, const std::string& etag);
Result<CommandReply> roll_back(Turn& turn, const RollBackRollout& command, const std::string& etag);
void advance_rollouts(Turn& turn);
// Keeps State::open_rollouts: called where a rollout begins, ends, or is loaded.
void index_open(State& state, const Rollout& rollout);

// ---- stages.cpp

// Rows, at the end of the turn; a rollout's carries the revision of that turn.
void write_rollouts(Turn& turn);
void write_deployments(Turn& turn);

void queue_stage(Turn& turn, const Rollout& rollout, size_t stage);
void offer_stage(Turn& turn, Rollout& rollout, uint32_t& budget);
void start_rollback(Turn& turn, const Rollout& rollout);
// The device of a deployment of the rollout, or of its standing assignment, gets what it had
// before.
void send_back(Turn& turn, const Rollout& rollout, const Deployment& deployment);
void offer_rollback(Turn& turn, const Rollout& rollout);
rollout::RollbackFacts rollback_facts(const State& state, const Rollout& rollout);

// ---- deployments.cpp

const Deployment* deployment_in_progress(const State& state, const DeviceId& device,
                                         const ModelName& model);
Deployment& create_deployment(Turn& turn, Deployment deployment);
void advance(Turn& turn, uint64_t number, const deployment::Event& event);
void offer(Turn& turn, uint64_t number, Millis deadline_after);
void on_model_report(Turn& turn, Device& device, const ModelReport& report);
void expire_deployments(Turn& turn);
// The release's artifact for this device, and why it can't be taken where it can't.
struct Admission {
  const KnownArtifact* artifact = nullptr;
  std::string reason;
  std::string explanation;
};
Admission admit(const State& state, const ReleaseId& release, const Device& device);

// ---- archive.cpp

// One device more, or less, stands where this attempt does.
void count(Turn& turn, const Deployment& newest, bool more);
// Rollouts that can't be rolled back any more give their deployments away.
void settle_rollouts(Turn& turn);
void archive_deployments(Turn& turn);

// ---- assignments.cpp

// The device came online: what waits for it may go on.
void device_is_here(Turn& turn, const DeviceId& device);
// Its facts are others: what it can take may have changed.
void device_has_changed(Turn& turn, const DeviceId& device);

void assign(Turn& turn, const Rollout& rollout);
void assign_device(Turn& turn, Device& device);
// The release stands no longer: nobody is given it any more, and nobody waits for it.
void unassign(Turn& turn, const Rollout& rollout);
void reconcile(Turn& turn);

// ---- transfer.cpp

void on_fetch(Turn& turn, Device& device, const FetchMessage& fetch);

}  // namespace covey::engine
