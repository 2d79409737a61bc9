// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/limits.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/alert_words.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

void advance(Turn& turn, const monitoring::AlertKey& key, const monitoring::AlertEvent& event,
             const monitoring::AlertPolicy& policy) {
  AlertTracks& alerts = own_telemetry(turn).alerts;
  const auto known = alerts.find(key);
  const monitoring::AlertTrack before =
      known == alerts.end() ? monitoring::AlertTrack{key, {}} : known->second;
  Result<monitoring::AlertStep> step = monitoring::step(before, event, policy, turn.now);
  if (!step || !step->track.newest) return;
  const monitoring::AlertTrack& track = step->track;
  if (!(track == before)) {
    alerts.insert_or_assign(key, track);
    turn.write(PutAlert{*track.newest});
  }
  if (step->change != monitoring::AlertChange::kNothing && track.newest) {
    turn.log(track.newest->state == monitoring::AlertState::kFiring ? LogLine::Level::kWarning
                                                                    : LogLine::Level::kInfo,
             "alert", monitoring::alert_id(key, track.newest->episode),
             std::string(monitoring::to_string(step->change)) + ": " + explain(*track.newest));
  }
}

monitoring::AlertKind alert_kind_of(monitoring::SubjectKind kind) {
  switch (kind) {
    case monitoring::SubjectKind::kFeature:
      return monitoring::AlertKind::kFeatureDrift;
    case monitoring::SubjectKind::kClassMix:
      return monitoring::AlertKind::kClassMixDrift;
    case monitoring::SubjectKind::kConfidence:
      return monitoring::AlertKind::kConfidenceDrift;
    case monitoring::SubjectKind::kJoint:
      return monitoring::AlertKind::kJointDrift;
  }
  return monitoring::AlertKind::kFeatureDrift;
}

monitoring::AlertEvent as_event(const SubjectVerdict& verdict) {
  const auto abnormal = [&](monitoring::Severity severity) {
    return monitoring::WindowAbnormal{
        .severity = severity, .devices = verdict.devices, .explanation = verdict.explanation};
  };
  switch (verdict.outcome) {
    case monitoring::DriftOutcome::kOk:
      return monitoring::WindowNormal{};
    case monitoring::DriftOutcome::kWarn:
      return abnormal(monitoring::Severity::kWarn);
    case monitoring::DriftOutcome::kPage:
      return abnormal(monitoring::Severity::kPage);
    case monitoring::DriftOutcome::kInsufficientData:
    case monitoring::DriftOutcome::kInsufficientDevices:
      return monitoring::WindowUnknown{};
  }
  return monitoring::WindowUnknown{};
}

constexpr size_t kScopesAskedPerTick = 500;  // devices
constexpr Millis kScopesAskedEvery = 10s;

constexpr Millis kCertificateAlertBefore = 24h * 21;

// What one event proves, or ends.
constexpr monitoring::AlertPolicy kAtOnce{.fire_windows = 1, .of_windows = 1, .quiet_windows = 1};

monitoring::AlertKey ahead_of_site(const DeviceId& device) {
  return {"", monitoring::AlertKind::kAheadOfSite, device.str(), ""};
}

monitoring::AlertKey duplicate_identity(const Device& device) {
  return {"", monitoring::AlertKind::kDuplicateIdentity, device.id.str(), ""};
}

monitoring::AlertKey over_budget(const DeviceId& device) {
  return {"", monitoring::AlertKind::kOverBudget, device.str(), ""};
}

bool is_firing(const State& state, const monitoring::AlertKey& key) {
  const auto found = state.telemetry.alerts.find(key);
  return found != state.telemetry.alerts.end() && found->second.newest &&
         found->second.newest->state == monitoring::AlertState::kFiring;
}

// What a device's own words prove. An episode that goes on stays as it is; a new one is a notice,
// of which a device has a few (budget.hpp). True: people are told.
bool raise(Turn& turn, const Device& device, const monitoring::AlertKey& key,
           const monitoring::AlertEvent& event) {
  if (is_firing(turn.state, key)) return false;
  if (!spend(turn, *turn.state.fleet.number_of(device.id), Spend::kNotices)) return false;
  advance(turn, key, event, kAtOnce);
  return true;
}

}  // namespace

void forget_alerts(Turn& turn, Millis before) {
  std::erase_if(own_telemetry(turn).alerts, [&](const auto& entry) {
    const std::optional<monitoring::Alert>& newest = entry.second.newest;
    return !newest || (newest->resolved_at && *newest->resolved_at < before);
  });
}

void apply_verdict(Turn& turn, const Digest& manifest, const WindowVerdict& verdict) {
  const KnownArtifact& known = turn.state.catalogue.artifacts.at(manifest);
  for (const SubjectVerdict& subject : verdict.subjects) {
    advance(turn,
            {known.release.model.str(), alert_kind_of(subject.kind), subject.subject,
             to_string(known.release)},
            as_event(subject), turn.config.alert_policy);
  }
}

namespace {

void begin_scopes(Turn& turn, ScopesLook& look) {
  look = {.began = turn.now.mono};
  for (const auto& [key, track] : turn.state.telemetry.alerts) {
    if (!key.scope.empty() && track.newest &&
        track.newest->state != monitoring::AlertState::kResolved) {
      look.open.push_back(key);
    }
  }
}

// True: all devices have been asked.
bool ask_for_scopes(const State& state, ScopesLook& look) {
  const auto add = [&](const std::optional<Digest>& manifest) {
    if (!manifest) return;
    const auto known = state.catalogue.artifacts.find(*manifest);
    if (known != state.catalogue.artifacts.end()) {
      look.running.insert(to_string(known->second.release));
    }
  };
  const auto& devices = state.fleet.devices;
  auto next = look.looked_until ? devices.upper_bound(*look.looked_until) : devices.begin();
  for (size_t n = 0; n < kScopesAskedPerTick && next != devices.end(); ++n, ++next) {
    look.looked_until = next->first;
    if (next->second.state != DeviceState::kAccepted) continue;
    for (const auto& [name, model] : next->second.models) {
      add(model.reported.active);
      add(model.reported.confirmed);
    }
  }
  return next == devices.end();
}

}  // namespace

void resolve_alerts_of_the_past(Turn& turn) {
  ScopesLook& look = own_telemetry(turn).scopes;
  if (look.open.empty()) {
    if (turn.now.mono - look.began >= kScopesAskedEvery) begin_scopes(turn, look);
    if (look.open.empty()) return;
  }
  if (!ask_for_scopes(turn.state, look)) return;
  for (const monitoring::AlertKey& key : look.open) {
    if (look.running.contains(key.scope)) continue;
    advance(turn, key, monitoring::ScopeGone{"no device runs " + key.scope + " any more"},
            turn.config.alert_policy);
  }
  look = {.began = look.began};
}

void resolve_duplicate_identity(Turn& turn, const Device& device) {
  if (!own_telemetry(turn).alerts.contains(duplicate_identity(device))) return;
  advance(turn, duplicate_identity(device), monitoring::ScopeGone{"the device has new keys since"},
          turn.config.alert_policy);
}

void raise_duplicate_identity(Turn& turn, const Device& device) {
  raise(turn, device, duplicate_identity(device),
        monitoring::WindowAbnormal{
            .severity = monitoring::Severity::kPage,
            .devices = {device.id},
            .explanation = "two boots alternate under this id: a cloned device or a stolen key; "
                           "find the second one, then `covey device reenroll`"});
}

void judge_certificate(Turn& turn, Millis until) {
  const monitoring::AlertKey key{"", monitoring::AlertKind::kCertificateEnds, "gateway", ""};
  const bool ends = until != Millis{0} && until - turn.now.wall < kCertificateAlertBefore;
  if (ends == is_firing(turn.state, key)) return;
  if (!ends) return advance(turn, key, monitoring::ScopeGone{"there is a newer one"}, kAtOnce);
  const auto days =
      std::chrono::duration_cast<std::chrono::hours>(until - turn.now.wall).count() / 24;
  advance(turn, key,
          monitoring::WindowAbnormal{.severity = monitoring::Severity::kPage,
                                     .devices = {},
                                     .explanation = fmt::format("it has {} days left", days)},
          kAtOnce);
}

void resolve_ahead_of_site(Turn& turn, const DeviceId& device, const std::string& why) {
  if (!own_telemetry(turn).alerts.contains(ahead_of_site(device))) return;
  advance(turn, ahead_of_site(device), monitoring::ScopeGone{why}, turn.config.alert_policy);
}

bool raise_ahead_of_site(Turn& turn, const Device& device, const std::string& seen) {
  return raise(
      turn, device, ahead_of_site(device.id),
      monitoring::WindowAbnormal{
          .severity = monitoring::Severity::kPage,
          .devices = {device.id},
          .explanation = "the device " + seen +
                         ", above what this site ever said to it: a restored backup, if others "
                         "say the same, else a device that lies; then `covey device reenroll`"});
}

void alert_over_budget(Turn& turn, const std::vector<OverBudget>& worst) {
  const FleetState& fleet = turn.state.fleet;
  std::vector<monitoring::AlertKey> over;
  size_t firing = 0;
  const AlertTracks& alerts = turn.state.telemetry.alerts;
  for (auto it = alerts.lower_bound(monitoring::AlertKey{"", monitoring::AlertKind::kOverBudget});
       it != alerts.end() && it->first.model.empty() &&
       it->first.kind == monitoring::AlertKind::kOverBudget;
       ++it) {
    if (!is_firing(turn.state, it->first)) continue;
    ++firing;
    const std::optional<DeviceNumber> number = fleet.number_of(DeviceId(it->first.subject));
    const Refusals* const refusals = number ? fleet.budgets.refusals_of(*number) : nullptr;
    const bool quiet =
        refusals == nullptr || turn.now.mono - refusals->last_mono > kOverBudgetQuiet;
    if (quiet) over.push_back(it->first);
  }
  for (const monitoring::AlertKey& key : over) {
    --firing;
    advance(turn, key, monitoring::ScopeGone{"nothing of it was refused for a while"}, kAtOnce);
  }
  for (const OverBudget& device : worst) {
    const DeviceId& id = fleet.by_number[device.device]->id;
    if (is_firing(turn.state, over_budget(id)) || firing >= kOverBudgetAlertsMax) continue;
    ++firing;
    advance(turn, over_budget(id),
            monitoring::WindowAbnormal{
                .severity = monitoring::Severity::kWarn,
                .devices = {id},
                .explanation = fmt::format(
                    "{} messages of the device were refused in some seconds, the last one for its "
                    "budget of {}: firmware in a loop, or somebody floods; other devices are not "
                    "held up. `covey device get {}` says more, `covey device reject` ends it",
                    device.refused, to_string(device.last), id.str())},
            kAtOnce);
  }
}

Result<CommandReply> acknowledge_alert(Turn& turn, const AcknowledgeAlert& command,
                                       const std::string& actor) {
  for (auto& [key, track] : own_telemetry(turn).alerts) {
    if (!track.newest || monitoring::alert_id(key, track.newest->episode) != command.alert)
      continue;
    Result<monitoring::AlertStep> step =
        monitoring::step(track, monitoring::AcknowledgeAlert{track.newest->episode, actor, ""},
                         turn.config.alert_policy, turn.now);
    if (!step) return step.error();
    track = std::move(step->track);
    turn.write(PutAlert{*track.newest});
    return CommandReply{.subject = command.alert, .changed = 1};
  }
  return not_found("no alert " + command.alert + ": `covey alert list` shows them");
}

}  // namespace covey::engine
