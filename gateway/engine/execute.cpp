// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/execute.hpp"
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
  R operator()(const CreateRelease& c) const { return create_release(turn, c); }
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
  R operator()(const AbortRollout& c) const {
    return command_rollout(turn, c.rollout, rollout::Abort{c.now, c.explanation}, etag);
  }
  R operator()(const RollBackRollout& c) const { return roll_back(turn, c, etag); }
  R operator()(const SubmitLabels& c) const { return submit_labels(turn, c); }
  R operator()(const AcknowledgeAlert& c) const { return acknowledge_alert(turn, c, actor); }
  R operator()(const AddTrustedKey& c) const { return add_key(turn, c); }
  R operator()(const RemoveTrustedKeyCommand& c) const { return remove_key(turn, c); }
};

struct NameOf {
  std::string operator()(const AcceptDevices&) const { return "ACCEPT_DEVICES"; }
  std::string operator()(const RejectDevice&) const { return "REJECT_DEVICE"; }
  std::string operator()(const LabelDevices&) const { return "LABEL_DEVICES"; }
  std::string operator()(const ReenrollDevice&) const { return "REENROLL_DEVICE"; }
  std::string operator()(const CreateRelease&) const { return "CREATE_RELEASE"; }
  std::string operator()(const CreateRollout&) const { return "CREATE_ROLLOUT"; }
  std::string operator()(const PauseRollout&) const { return "PAUSE_ROLLOUT"; }
  std::string operator()(const ResumeRollout&) const { return "RESUME_ROLLOUT"; }
  std::string operator()(const ApproveRollout&) const { return "APPROVE_ROLLOUT"; }
  std::string operator()(const AbortRollout&) const { return "ABORT_ROLLOUT"; }
  std::string operator()(const RollBackRollout&) const { return "ROLL_BACK_ROLLOUT"; }
  std::string operator()(const SubmitLabels&) const { return "SUBMIT_LABELS"; }
  std::string operator()(const AcknowledgeAlert&) const { return "ACKNOWLEDGE_ALERT"; }
  std::string operator()(const AddTrustedKey&) const { return "ADD_TRUSTED_KEY"; }
  std::string operator()(const RemoveTrustedKeyCommand&) const { return "REMOVE_TRUSTED_KEY"; }
};

std::string subject_of(const Command& command, const CommandReply& reply) {
  if (!reply.subject.empty()) return reply.subject;
  if (const auto* labels = std::get_if<SubmitLabels>(&command)) return labels->model.str();
  return std::to_string(reply.changed) + " devices";
}

}  // namespace

void on_command(Turn& turn, const CommandReceived& event) {
  turn.urgent();
  const CommandRequest& request = event.request;
  Result<CommandReply> result =
      std::visit(Execute{turn, request.actor, request.etag}, request.command);
  if (result && !result->already_existed) {
    turn.write(AppendAudit{{.sequence = turn.number_audit(),
                            .wall = turn.now.wall,
                            .actor = request.actor,
                            .action = std::visit(NameOf{}, request.command),
                            .subject = subject_of(request.command, *result),
                            .detail = ""}});
  }
  turn.emit(Reply{event.ticket, std::move(result)});
}

}  // namespace covey::engine
