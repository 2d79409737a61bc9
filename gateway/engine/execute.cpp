// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/execute.hpp"
#include "gateway/engine/audit.hpp"
#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

struct Execute {
  Turn& turn;
  const std::string& actor;
  const std::string& etag;

  using R = Result<CommandReply>;
  R operator()(const AcceptDevices& c) const { return accept_devices(turn, c); }
  R operator()(const RejectDevice& c) const { return reject_device(turn, c); }
  R operator()(const LabelDevices& c) const { return label_devices(turn, c, etag); }
  R operator()(const ReenrollDevice& c) const { return reenroll_device(turn, c); }
  R operator()(const RemoveDevice& c) const { return remove_device(turn, c); }
  R operator()(const CreateRelease& c) const { return create_release(turn, c); }
  R operator()(const DeleteRelease& c) const { return delete_release(turn, c); }
  R operator()(const CreateRollout& c) const { return create_rollout(turn, c, actor); }
  R operator()(const PauseRollout& c) const {
    return command_rollout(turn, c.rollout, rollout::Pause{"OPERATOR", c.explanation}, etag);
  }
  R operator()(const ResumeRollout& c) const {
    return command_rollout(turn, c.rollout, rollout::Resume{}, etag);
  }
  R operator()(const ApproveRollout& c) const {
    return command_rollout(turn, c.rollout, rollout::Approve{}, etag);
  }
  R operator()(const AbortRollout& c) const { return abort_rollout(turn, c, etag); }
  R operator()(const RollBackRollout& c) const { return roll_back(turn, c, etag); }
  R operator()(const SkipDevice& c) const { return skip_device(turn, c, etag); }
  R operator()(const SubmitLabels& c) const { return submit_labels(turn, c); }
  R operator()(const AcknowledgeAlert& c) const { return acknowledge_alert(turn, c, actor); }
  R operator()(const AddTrustedKey& c) const { return add_key(turn, c); }
  R operator()(const RemoveTrustedKeyCommand& c) const { return remove_key(turn, c); }
};

}  // namespace

void on_command(Turn& turn, const CommandReceived& event) {
  turn.urgent();
  const CommandRequest& request = event.request;
  const std::string before = standing_of(turn.state, request.command);
  Result<CommandReply> result =
      std::visit(Execute{turn, request.actor, request.etag}, request.command);
  const auto note = [&](std::string subject, std::string detail) {
    turn.note_audit({.actor = request.actor,
                     .action = action_of(request.command),
                     .subject = std::move(subject),
                     .before = before,
                     .after = result ? standing_of(turn.state, request.command) : std::string(),
                     .detail = std::move(detail)});
  };
  if (result && (result->already_existed || result->validated)) {
    // Nothing was done.
  } else if (result) {
    note(subject_of(request.command, *result), detail_of(request.command, *result));
  } else if (!result && turn.may_note_refusal()) {
    note(subject_of(request.command), detail_of(result.error()));
  }
  turn.emit(Reply{event.ticket, std::move(result)});
}

}  // namespace covey::engine
