// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/audit.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/duration.hpp"
#include "deploy/signing/sha256.hpp"

namespace covey::engine {
namespace {

constexpr size_t kNamedInFull = 20;
constexpr size_t kNamedOfMany = 10;
constexpr size_t kDetailBytesMax = 2048;

struct NameOf {
  std::string operator()(const AcceptDevices&) const { return "ACCEPT_DEVICES"; }
  std::string operator()(const RejectDevice&) const { return "REJECT_DEVICE"; }
  std::string operator()(const LabelDevices&) const { return "LABEL_DEVICES"; }
  std::string operator()(const ReenrollDevice&) const { return "REENROLL_DEVICE"; }
  std::string operator()(const RemoveDevice&) const { return "REMOVE_DEVICE"; }
  std::string operator()(const CreateClaim&) const { return "CREATE_CLAIM"; }
  std::string operator()(const RevokeClaim&) const { return "REVOKE_CLAIM"; }
  std::string operator()(const ImportDevices&) const { return "IMPORT_DEVICES"; }
  std::string operator()(const DecommissionDevice&) const { return "DECOMMISSION_DEVICE"; }
  std::string operator()(const ReplaceDevice&) const { return "REPLACE_DEVICE"; }
  std::string operator()(const AddDeviceAuthority&) const { return "ADD_DEVICE_AUTHORITY"; }
  std::string operator()(const RemoveDeviceAuthority&) const { return "REMOVE_DEVICE_AUTHORITY"; }
  std::string operator()(const CreateRelease&) const { return "CREATE_RELEASE"; }
  std::string operator()(const DeleteRelease&) const { return "DELETE_RELEASE"; }
  std::string operator()(const CreateRollout&) const { return "CREATE_ROLLOUT"; }
  std::string operator()(const PauseRollout&) const { return "PAUSE_ROLLOUT"; }
  std::string operator()(const ResumeRollout&) const { return "RESUME_ROLLOUT"; }
  std::string operator()(const ApproveRollout&) const { return "APPROVE_ROLLOUT"; }
  std::string operator()(const AbortRollout&) const { return "ABORT_ROLLOUT"; }
  std::string operator()(const RollBackRollout&) const { return "ROLL_BACK_ROLLOUT"; }
  std::string operator()(const SkipDevice&) const { return "SKIP_DEVICE"; }
  std::string operator()(const SubmitLabels&) const { return "SUBMIT_LABELS"; }
  std::string operator()(const AcknowledgeAlert&) const { return "ACKNOWLEDGE_ALERT"; }
  std::string operator()(const AddTrustedKey&) const { return "ADD_TRUSTED_KEY"; }
  std::string operator()(const RemoveTrustedKeyCommand&) const { return "REMOVE_TRUSTED_KEY"; }
  std::string operator()(const ImportRoot&) const { return "IMPORT_ROOT"; }
  std::string operator()(const RotateSecret&) const { return "ROTATE_SITE_SECRET"; }
  std::string operator()(const CreateToken&) const { return "CREATE_TOKEN"; }
  std::string operator()(const RevokeToken&) const { return "REVOKE_TOKEN"; }
  std::string operator()(const NoteTokenUses&) const { return "NOTE_TOKEN_USES"; }
  std::string operator()(const NoteDenial&) const { return "CALL_DENIED"; }
};

void add(std::string& list, std::string_view text, std::string_view between = ", ") {
  if (text.empty()) return;
  if (!list.empty()) list += between;
  list += text;
}

// All of few. Of many some, and a digest by which a list that somebody kept can be checked: of the
// ids in order, each with a line end.
std::string names_of(std::vector<DeviceId> devices) {
  std::sort(devices.begin(), devices.end());
  const bool many = devices.size() > kNamedInFull;
  std::string names;
  std::string all;
  for (size_t i = 0; i < devices.size(); ++i) {
    if (!many || i < kNamedOfMany) add(names, devices[i].str());
    if (many) all += devices[i].str() + '\n';
  }
  if (!many) return names;
  return fmt::format("{} and {} more, sha256 {}", names, devices.size() - kNamedOfMany,
                     to_hex(sha256(as_bytes(all))));
}

std::string selected(const DeviceSelection& selection) {
  std::string text = names_of(selection.ids);
  if (!selection.filter.empty()) add(text, "filter " + selection.filter, "; ");
  if (selection.all) add(text, "all", "; ");
  return text;
}

std::string labels_of(const LabelDevices& command) {
  std::string set;
  for (const auto& [key, value] : command.set) add(set, fmt::format("{}={}", key, value));
  std::string removed;
  for (const std::string& key : command.remove) add(removed, key);
  std::string text = set.empty() ? "" : "set " + set;
  if (!removed.empty()) add(text, "remove " + removed, "; ");
  return text;
}

// What the command says beside its subject.
struct SaidBy {
  std::string operator()(const LabelDevices& c) const { return labels_of(c); }
  std::string operator()(const CreateClaim& c) const {
    std::string text = fmt::format("count {}", c.count);
    if (c.life > Millis{0}) add(text, fmt::format("for {} s", c.life.count() / 1000));
    if (c.per_device) add(text, "a proof per device");
    if (c.accept) add(text, "accepts");
    add(text, names_of(c.ids), "; ");
    return text;
  }
  std::string operator()(const ImportDevices& c) const {
    return c.validate_only ? "validate only" : "";
  }
  std::string operator()(const ReplaceDevice& c) const {
    std::string text = "by " + c.successor.str();
    if (!c.key_fingerprint.empty()) add(text, "key " + c.key_fingerprint);
    return text;
  }
  std::string operator()(const AddDeviceAuthority& c) const {
    return "sha256 " + to_hex(sha256(c.certificate));
  }
  std::string operator()(const CreateRelease& c) const {
    std::string digests;
    for (const auto& artifact : c.artifacts) add(digests, to_hex(artifact->digest));
    return "manifest " + digests;
  }
  std::string operator()(const CreateRollout& c) const {
    std::string text = c.document.release;
    add(text, "target " + (c.document.target.empty() ? "all" : c.document.target), "; ");
    if (!c.request_id.empty()) add(text, "request " + c.request_id, "; ");
    return text;
  }
  std::string operator()(const PauseRollout& c) const { return c.explanation; }
  std::string operator()(const AbortRollout& c) const {
    std::string text = c.now ? "now" : "";
    add(text, c.explanation, "; ");
    return text;
  }
  std::string operator()(const RollBackRollout& c) const { return c.explanation; }
  std::string operator()(const SkipDevice& c) const {
    std::string text = c.device.str();
    add(text, c.explanation, "; ");
    return text;
  }
  std::string operator()(const AddTrustedKey& c) const { return c.comment; }
  std::string operator()(const ImportRoot& c) const {
    return "document " + to_hex(sha256(c.document));
  }
  std::string operator()(const CreateToken& c) const {
    std::string text = fmt::format("role {}", c.role);
    if (!c.models.empty()) add(text, "models " + c.models, "; ");
    add(text, c.lifetime.count() == 0 ? "no end" : "for " + covey::to_string(c.lifetime), "; ");
    return text;
  }
  template <typename Other>
  std::string operator()(const Other&) const {
    return "";
  }
};

struct NamedBy {
  std::string operator()(const AcceptDevices& c) const { return selected(c.devices); }
  std::string operator()(const LabelDevices& c) const { return selected(c.devices); }
  std::string operator()(const RejectDevice& c) const { return c.device.str(); }
  std::string operator()(const ReenrollDevice& c) const { return c.device.str(); }
  std::string operator()(const RemoveDevice& c) const { return c.device.str(); }
  std::string operator()(const CreateClaim& c) const { return c.claim.str(); }
  std::string operator()(const RevokeClaim& c) const { return c.claim.str(); }
  std::string operator()(const ImportDevices& c) const {
    return fmt::format("{} devices", c.devices.size());
  }
  std::string operator()(const DecommissionDevice& c) const { return c.device.str(); }
  std::string operator()(const ReplaceDevice& c) const { return c.device.str(); }
  std::string operator()(const AddDeviceAuthority& c) const { return c.name; }
  std::string operator()(const RemoveDeviceAuthority& c) const { return c.name; }
  std::string operator()(const CreateRelease& c) const { return to_string(c.release); }
  std::string operator()(const DeleteRelease& c) const { return to_string(c.release); }
  std::string operator()(const CreateRollout& c) const { return c.document.name; }
  std::string operator()(const SubmitLabels& c) const { return c.model.str(); }
  std::string operator()(const AcknowledgeAlert& c) const { return c.alert; }
  std::string operator()(const AddTrustedKey& c) const { return c.comment; }
  std::string operator()(const RemoveTrustedKeyCommand& c) const { return c.key_id; }
  std::string operator()(const ImportRoot&) const { return "root"; }
  std::string operator()(const RotateSecret& c) const { return fmt::format("secret {}", c.number); }
  std::string operator()(const CreateToken& c) const { return c.name; }
  std::string operator()(const RevokeToken& c) const { return c.name; }
  std::string operator()(const NoteTokenUses&) const { return ""; }
  std::string operator()(const NoteDenial& c) const { return c.call; }
  template <typename OfRollout>
  std::string operator()(const OfRollout& c) const {
    return c.rollout.str();
  }
};

}  // namespace

std::string bounded(std::string text) {
  if (text.size() <= kDetailBytesMax) return text;
  size_t end = kDetailBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // UTF-8
  return text.substr(0, end) + "...";
}

std::string action_of(const Command& command) { return std::visit(NameOf{}, command); }

std::string subject_of(const Command& command, const CommandReply& reply) {
  if (!reply.subject.empty()) return reply.subject;
  if (const auto* labels = std::get_if<SubmitLabels>(&command)) return labels->model.str();
  if (reply.devices.size() == 1) return reply.devices.front().str();
  return fmt::format("{} devices", reply.changed);
}

std::string detail_of(const Command& command, const CommandReply& reply) {
  std::string text = std::visit(SaidBy{}, command);
  if (std::holds_alternative<SubmitLabels>(command)) {
    text = fmt::format("{} matched, {} unmatched, {} unchanged", reply.labels_matched,
                       reply.labels_unmatched, reply.labels_unchanged);
    if (reply.labels_of_nobody > 0) {
      text += fmt::format(", {} of devices that are not there", reply.labels_of_nobody);
    }
  }
  if (reply.devices.size() > 1) add(text, names_of(reply.devices), "; ");
  if (!reply.withheld.empty()) {
    add(text, fmt::format("withheld: {}", fmt::join(reply.withheld, ", ")), "; ");
  }
  if (!reply.paused.empty()) {
    add(text, fmt::format("paused: {}", fmt::join(reply.paused, ", ")), "; ");
  }
  return bounded(std::move(text));
}

std::string subject_of(const Command& command) { return bounded(std::visit(NamedBy{}, command)); }

std::string detail_of(const Error& refusal) {
  return bounded(fmt::format("refused, {}: {}", refusal.reason, refusal.message));
}

}  // namespace covey::engine
