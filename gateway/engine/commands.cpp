#include <algorithm>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr size_t kLabelTextMax = 63;

bool valid_label(const std::string& text) {
  return !text.empty() && text.size() <= kLabelTextMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

Result<CommandReply> label_devices(Turn& turn, const LabelDevices& command,
                                   const std::string& etag) {
  for (const auto& [key, value] : command.set) {
    if (!valid_label(key) || !valid_label(value)) {
      return invalid("BAD_LABEL", "label '" + key + "=" + value.substr(0, 64) +
                                      "': 1 to 63 of A-Z a-z 0-9 . _ - on both sides");
    }
  }
  Result<std::vector<DeviceId>> ids = select(turn.state, command.devices);
  if (!ids) return ids.error();
  if (!etag.empty()) {
    if (ids->size() != 1) return invalid("BAD_FIELD", "etag: only with exactly one device");
    if (etag_of(turn.state.devices.at(ids->front())) != etag) {
      return Error{Code::kAborted, "ETAG_MISMATCH",
                   "device " + ids->front().str() + " has changed since: look again"};
    }
  }
  for (const DeviceId& id : *ids) {
    const Device& device = turn.state.devices.at(id);
    if (device.labels.size() + command.set.size() > kLabelsPerDeviceMax) {
      return precondition("TOO_MANY_LABELS", id.str() + " would have more than " +
                                                 std::to_string(kLabelsPerDeviceMax) + " labels");
    }
  }
  CommandReply reply;
  for (const DeviceId& id : *ids) {
    Device& device = turn.state.devices.at(id);
    std::map<std::string, std::string> labels = device.labels;
    for (const auto& [key, value] : command.set) labels[key] = value;
    for (const std::string& key : command.remove) labels.erase(key);
    if (labels == device.labels) continue;
    turn.change(device).labels = std::move(labels);
    assign_device(turn, device);
    ++reply.changed;
  }
  return reply;
}

Result<CommandReply> create_release(Turn& turn, const CreateRelease& command) {
  State& state = turn.state;
  if (command.artifacts.empty()) return invalid("NO_ARTIFACT", "artifacts: at least one");
  const auto existing = state.releases.find(command.release);
  if (existing != state.releases.end()) {
    const std::vector<ArtifactRecord>& stored = existing->second.artifacts;
    const bool same =
        std::equal(stored.begin(), stored.end(), command.artifacts.begin(), command.artifacts.end(),
                   [](const auto& a, const auto& b) { return a.artifact->digest == b->digest; });
    if (same) return CommandReply{.subject = to_string(command.release), .already_existed = true};
    return Error{Code::kAlreadyExists, "RELEASE_EXISTS",
                 to_string(command.release) +
                     " exists with other content: releases never change, push a new version"};
  }
  std::set<DeviceClass> classes;
  ReleaseRecord release{.id = command.release, .artifacts = {}, .create_wall = turn.now.wall};
  for (const std::shared_ptr<const Artifact>& artifact : command.artifacts) {
    if (artifact->manifest.release() != command.release) {
      return invalid("RELEASE_MISMATCH", "a manifest is of " +
                                             to_string(artifact->manifest.release()) + ", not of " +
                                             to_string(command.release));
    }
    // Opened against a copy of the trust store: ask again, a key may be gone by now.
    const Result<KeyId> signer =
        state.trust.verify(artifact->digest, artifact->signed_manifest.signatures);
    if (!signer) return signer.error();
    if (state.artifacts.contains(artifact->digest)) {
      return Error{Code::kAlreadyExists, "ARTIFACT_EXISTS",
                   "manifest " + short_hex(artifact->digest) + " belongs to " +
                       to_string(state.artifacts.at(artifact->digest).release)};
    }
    for (const DeviceClass& device_class : artifact->manifest.device_classes) {
      if (!classes.insert(device_class).second) {
        return invalid("CLASS_TWICE", "two artifacts are for class " + device_class.str());
      }
    }
    release.artifacts.push_back(
        {command.release, static_cast<uint32_t>(release.artifacts.size()), artifact});
  }
  for (const ArtifactRecord& record : release.artifacts) know(state, record);
  turn.write(PutRelease{release});
  publish_release(turn, release);
  state.releases.emplace(command.release, std::move(release));
  return CommandReply{.subject = to_string(command.release), .changed = 1};
}

Result<CommandReply> add_key(Turn& turn, const AddTrustedKey& command) {
  Result<PublicKey> key = PublicKey::from_pem(command.pem);
  if (!key) return key.error();
  const std::string id = to_hex(key->id());
  if (turn.state.trusted_keys.contains(id)) {
    return CommandReply{.subject = id, .already_existed = true};
  }
  TrustedKeyRecord record{.key_id = id,
                          .algorithm = std::string(to_string(key->algorithm())),
                          .pem = key->to_pem(),
                          .comment = command.comment.substr(0, 200),
                          .create_wall = turn.now.wall};
  if (Status added = turn.state.trust.add(*std::move(key)); !added) return added.error();
  turn.write(PutTrustedKey{record});
  turn.state.trusted_keys.emplace(id, std::move(record));
  return CommandReply{.subject = id, .changed = 1};
}

Result<CommandReply> remove_key(Turn& turn, const RemoveTrustedKeyCommand& command) {
  const auto found = turn.state.trusted_keys.find(command.key_id);
  if (found == turn.state.trusted_keys.end()) {
    return not_found("no trusted key " + command.key_id + ": `covey key list` shows them");
  }
  const Result<PublicKey> key = PublicKey::from_pem(found->second.pem);
  COVEY_ASSERT(key.ok());
  (void)turn.state.trust.remove(key->id());
  turn.write(RemoveTrustedKey{command.key_id});
  turn.state.trusted_keys.erase(found);
  return CommandReply{.subject = command.key_id, .changed = 1};
}

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

Result<std::vector<DeviceId>> select(const State& state, const DeviceSelection& selection) {
  std::set<DeviceId> chosen;
  for (const DeviceId& id : selection.ids) {
    if (!state.devices.contains(id)) {
      return not_found("no device " + id.str() + ": `covey device list` shows them");
    }
    chosen.insert(id);
  }
  if (selection.all || !selection.filter.empty()) {
    const Result<Filter> filter = Filter::parse(selection.filter);
    if (!filter) return filter.error();
    for (const auto& [id, device] : state.devices) {
      if (filter->matches(DeviceFields(state, device))) chosen.insert(id);
    }
  }
  return std::vector<DeviceId>(chosen.begin(), chosen.end());
}

void on_command(Turn& turn, const CommandReceived& event) {
  turn.urgent();
  const CommandRequest& request = event.request;
  Result<CommandReply> result =
      std::visit(Execute{turn, request.actor, request.etag}, request.command);
  if (result && !result->already_existed) {
    turn.write(AppendAudit{{.sequence = ++turn.state.site.audit_sequence,
                            .wall = turn.now.wall,
                            .actor = request.actor,
                            .action = std::visit(NameOf{}, request.command),
                            .subject = subject_of(request.command, *result),
                            .detail = ""}});
  }
  turn.emit(Reply{event.ticket, std::move(result)});
}

}  // namespace covey::engine
