// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gateway/engine/audit.hpp"
#include "gateway/engine/fleet/fleet.hpp"

namespace covey::engine {
namespace {

constexpr size_t kShownOfMany = 20;

struct StandingOf {
  const State& state;

  std::string device(const DeviceId& id) const {
    const auto found = state.fleet.devices.find(id);
    if (found == state.fleet.devices.end()) return "";
    std::string text(to_string(found->second.state));
    for (const auto& [key, value] : found->second.labels) {
      text += fmt::format(" {}={}", key, value);
    }
    return fmt::format("{} generation {}", text, found->second.enroll_generation);
  }
  std::string devices(const DeviceSelection& selection) const {
    const bool many = selection.all || !selection.filter.empty();
    if (many || selection.ids.size() > kShownOfMany) return "";
    if (selection.ids.size() == 1) return device(selection.ids.front());
    std::string text;
    for (const DeviceId& id : selection.ids) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", id.str(), device(id));
    }
    return text;
  }
  std::string rollout(const RolloutName& name) const {
    const auto found = state.rollouts.by_name.find(name);
    if (found == state.rollouts.by_name.end()) return "";
    const RolloutProgress& progress = found->second.progress;
    std::string text(to_string(progress.state));
    if (!progress.reason.empty()) text += fmt::format(" ({})", progress.reason);
    for (size_t i = 0; i < progress.stages.size(); ++i) {
      const StageState stage = progress.stages[i].state;
      if (stage == StageState::kPending || stage == StageState::kPassed) continue;
      text += fmt::format(" stage {} {}", i + 1, to_string(stage));
    }
    return text;
  }
  std::string release(const ReleaseId& id) const {
    return state.catalogue.releases.contains(id) ? "PRESENT" : "";
  }

  std::string operator()(const AcceptDevices& c) const { return devices(c.devices); }
  std::string operator()(const LabelDevices& c) const { return devices(c.devices); }
  std::string operator()(const RejectDevice& c) const { return device(c.device); }
  std::string operator()(const ReenrollDevice& c) const { return device(c.device); }
  std::string operator()(const RemoveDevice& c) const { return device(c.device); }
  std::string operator()(const DecommissionDevice& c) const { return device(c.device); }
  std::string operator()(const ReplaceDevice& c) const {
    return fmt::format("{}: {}; {}: {}", c.device.str(), device(c.device), c.successor.str(),
                       device(c.successor));
  }
  std::string claim(const ClaimName& name) const {
    const auto found = state.fleet.claims.find(name);
    if (found == state.fleet.claims.end()) return "";
    const ClaimRecord& record = found->second;
    return fmt::format("{} {} of {} used", record.revoke_wall == Millis{0} ? "OPEN" : "REVOKED",
                       record.used, record.count_max);
  }
  std::string operator()(const CreateClaim& c) const { return claim(c.claim); }
  std::string operator()(const RevokeClaim& c) const { return claim(c.claim); }
  std::string authority(const std::string& name) const {
    return state.fleet.authorities.contains(name) ? "TRUSTED" : "";
  }
  std::string operator()(const AddDeviceAuthority& c) const { return authority(c.name); }
  std::string operator()(const RemoveDeviceAuthority& c) const { return authority(c.name); }
  std::string operator()(const CreateRelease& c) const { return release(c.release); }
  std::string operator()(const DeleteRelease& c) const { return release(c.release); }
  std::string operator()(const PauseRollout& c) const { return rollout(c.rollout); }
  std::string operator()(const ResumeRollout& c) const { return rollout(c.rollout); }
  std::string operator()(const ApproveRollout& c) const { return rollout(c.rollout); }
  std::string operator()(const AbortRollout& c) const { return rollout(c.rollout); }
  std::string operator()(const RollBackRollout& c) const { return rollout(c.rollout); }
  std::string operator()(const SkipDevice& c) const { return rollout(c.rollout); }
  std::string operator()(const AcknowledgeAlert& c) const {
    for (const auto& [key, track] : state.telemetry.alerts) {
      if (!track.newest || monitoring::alert_id(key, track.newest->episode) != c.alert) continue;
      const auto& acknowledged = track.newest->acknowledged;
      return acknowledged ? fmt::format("acknowledged by {}", acknowledged->by) : "open";
    }
    return "";
  }
  std::string operator()(const RemoveTrustedKeyCommand& c) const {
    const auto found = state.catalogue.trusted_keys.find(c.key_id);
    if (found == state.catalogue.trusted_keys.end()) return "";
    return fmt::format("TRUSTED {}", found->second.comment);
  }
  std::string operator()(const ImportRoot&) const {
    const Root* root = state.catalogue.root.get();
    if (root == nullptr) return "";
    return fmt::format("root {}, {} of {} root keys, {} of {} authors", root->version,
                       root->root_threshold, root->roots(), root->author_threshold,
                       root->authors());
  }
  std::string token(const std::string& name) const {
    const auto found = state.access.tokens.find(name);
    return found == state.access.tokens.end() ? "" : "role " + found->second.role;
  }
  std::string operator()(const RotateSecret&) const {
    return fmt::format("newest {}", newest_secret(state));
  }
  std::string operator()(const CreateToken& c) const { return token(c.name); }
  std::string operator()(const RevokeToken& c) const { return token(c.name); }
  std::string operator()(const NoteTokenUses&) const { return ""; }
  std::string operator()(const NoteDenial&) const { return ""; }
  // What these make has its name from the answer, or is as long as its file.
  std::string operator()(const CreateRollout&) const { return ""; }
  std::string operator()(const ImportDevices&) const { return ""; }
  std::string operator()(const SubmitLabels&) const { return ""; }
  std::string operator()(const AddTrustedKey&) const { return ""; }
};

}  // namespace

std::string standing_of(const State& state, const Command& command) {
  return bounded(std::visit(StandingOf{state}, command));
}

}  // namespace covey::engine
