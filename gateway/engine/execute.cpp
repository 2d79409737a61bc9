// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/execute.hpp"

#include <fmt/format.h>

#include "gateway/engine/access/access.hpp"
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
  R operator()(const CreateClaim& c) const { return create_claim(turn, c); }
  R operator()(const RevokeClaim& c) const { return revoke_claim(turn, c); }
  R operator()(const ImportDevices& c) const { return import_devices(turn, c); }
  R operator()(const DecommissionDevice& c) const { return decommission_device(turn, c); }
  R operator()(const ReplaceDevice& c) const { return replace_device(turn, c); }
  R operator()(const AddDeviceAuthority& c) const { return add_authority(turn, c); }
  R operator()(const RemoveDeviceAuthority& c) const { return remove_authority(turn, c); }
  R operator()(const CreateRelease& c) const { return create_release(turn, c); }
  R operator()(const DeleteRelease& c) const { return delete_release(turn, c); }
  R operator()(const CreateRollout& c) const { return create_rollout(turn, c, actor); }
  R operator()(const PauseRollout& c) const {
    return command_rollout(turn, c.rollout, rollout::Pause{"OPERATOR", c.explanation}, etag);
  }
  R operator()(const ResumeRollout& c) const { return resume_rollout(turn, c.rollout, etag); }
  R operator()(const ApproveRollout& c) const { return approve_rollout(turn, c, actor, etag); }
  R operator()(const AbortRollout& c) const { return abort_rollout(turn, c, etag); }
  R operator()(const RollBackRollout& c) const { return roll_back(turn, c, etag); }
  R operator()(const SkipDevice& c) const { return skip_device(turn, c, etag); }
  R operator()(const SubmitLabels& c) const { return submit_labels(turn, c); }
  R operator()(const AcknowledgeAlert& c) const { return acknowledge_alert(turn, c, actor); }
  R operator()(const AddTrustedKey& c) const { return add_key(turn, c); }
  R operator()(const RemoveTrustedKeyCommand& c) const { return remove_key(turn, c); }
  R operator()(const ImportRoot& c) const { return import_root(turn, c); }
  R operator()(const RotateSecret& c) const { return rotate_secret(turn, c); }
  R operator()(const CreateToken& c) const { return create_token(turn, c, actor); }
  R operator()(const RevokeToken& c) const { return revoke_token(turn, c); }
  R operator()(const NoteTokenUses& c) const { return note_token_uses(turn, c); }
  // Among the refusals, of which there are so many in a minute.
  R operator()(const NoteDenial& c) const {
    return Error{Code::kPermissionDenied, c.reason, c.message};
  }
};

struct RolloutOf {
  const RolloutName* operator()(const PauseRollout& c) const { return &c.rollout; }
  const RolloutName* operator()(const ResumeRollout& c) const { return &c.rollout; }
  const RolloutName* operator()(const AbortRollout& c) const { return &c.rollout; }
  template <typename Other>
  const RolloutName* operator()(const Other&) const {
    return nullptr;
  }
};

// What is not there says so itself.
Status check_own(const State& state, const CommandRequest& request) {
  const RolloutName* name = std::visit(RolloutOf{}, request.command);
  if (!request.own_only || name == nullptr) return {};
  const auto found = state.rollouts.by_name.find(*name);
  if (found == state.rollouts.by_name.end() || found->second.plan->creator == request.actor) {
    return {};
  }
  return Error{Code::kPermissionDenied, "NOT_YOURS",
               fmt::format("rollout {} is of {}: the role ci may pause, resume and abort what it "
                           "created, an operator all",
                           name->str(), found->second.plan->creator)};
}

}  // namespace

void on_command(Turn& turn, const CommandReceived& event) {
  turn.urgent();
  const CommandRequest& request = event.request;
  const std::string before = standing_of(turn.state, request.command);
  const Status own = check_own(turn.state, request);
  Result<CommandReply> result =
      own ? std::visit(Execute{turn, request.actor, request.etag}, request.command)
          : Result<CommandReply>(own.error());
  const auto note = [&](std::string subject, std::string detail) {
    turn.note_audit({.actor = request.actor,
                     .known = request.origin.known,
                     .from = request.origin.from,
                     .request_id = request.origin.request_id,
                     .action = action_of(request.command),
                     .subject = std::move(subject),
                     .before = before,
                     .after = result ? standing_of(turn.state, request.command) : std::string(),
                     .detail = std::move(detail)});
  };
  const bool clerical = std::holds_alternative<NoteTokenUses>(request.command);
  if (clerical || (result && (result->already_existed || result->validated))) {
    // Nothing was done that somebody asked for.
  } else if (result) {
    note(subject_of(request.command, *result), detail_of(request.command, *result));
  } else if (!result && turn.may_note_refusal()) {
    note(subject_of(request.command), detail_of(result.error()));
  }
  turn.emit(Reply{event.ticket, std::move(result)});
}

}  // namespace covey::engine
