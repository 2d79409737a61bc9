// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/limits.hpp"
#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/engine.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/settling.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

Error inconsistent(const std::string& what) {
  return {Code::kDataLoss, "STORE_INCONSISTENT",
          what + ": restore the data directory from a backup"};
}

// In number order: the newest stays.
void note_attempt(RolloutsState& rollouts, const Deployment& deployment) {
  const auto index = rollouts.attempts.find(*deployment.rollout);
  if (index == rollouts.attempts.end()) return;
  Attempts& attempts =
      deployment.cause == Cause::kRollback ? index->second.rollback : index->second.rollout;
  attempts.newest[deployment.device] = deployment.number;
}

Status load_rollouts(State& state, Snapshot& snapshot) {
  for (Rollout& rollout : snapshot.rollouts) {
    const RolloutName name = rollout.plan->name;
    if (!rollout.progress.settled) {
      state.rollouts.attempts.emplace(name, index_of(*rollout.plan));
    }
    state.rollouts.by_name.emplace(name, std::move(rollout));
  }
  for (Deployment& deployment : snapshot.deployments) {
    if (!state.fleet.devices.contains(deployment.device)) {
      return inconsistent("deployment of unknown device " + deployment.device.str());
    }
    const uint64_t number = deployment.number;
    if (deployment.rollout) note_attempt(state.rollouts, deployment);
    state.rollouts.newest_deployment[{deployment.device, deployment.release.model}] = number;
    if (has_ended(deployment.state)) {
      state.rollouts.archive_due.insert(number);
    } else {
      state.rollouts.in_progress.insert(number);
    }
    state.rollouts.deployments.emplace(number, std::move(deployment));
  }
  for (CountRecord& count : snapshot.counts) {
    state.rollouts.counts.emplace(
        CountKey{std::move(count.rollout), count.stage, count.rollback, std::move(count.state)},
        count.devices);
  }
  derive_rollouts(state.rollouts, state);
  return {};
}

void load_counts(State& state, Snapshot& snapshot, Millis window_length) {
  TelemetryState& telemetry = state.telemetry;
  for (StreamRecord& stream : snapshot.streams) {
    const std::optional<DeviceNumber> number = state.fleet.number_of(stream.device);
    StreamKey key{stream.device, stream.boot_id, stream.manifest};
    const auto kept = telemetry.streams.emplace(std::move(key), std::move(stream)).first;
    if (!number) continue;
    device_telemetry(telemetry, *number).streams.push_back({.record = &kept->second});
  }
  for (TotalRecord& total : snapshot.totals) {
    const std::optional<DeviceNumber> number = state.fleet.number_of(total.device);
    TotalKey key{total.device, total.manifest, total.cohort};
    const auto kept = telemetry.totals.emplace(std::move(key), std::move(total)).first;
    if (!number) continue;
    device_telemetry(telemetry, *number).totals.push_back({.record = &kept->second});
  }
  for (WindowRecord& window : snapshot.windows) {
    if (window.length != window_length) continue;
    OpenWindow& open = telemetry.windows[{window.manifest, window.index}];
    // The cohorts' rows say that it has closed; their counts are the devices' sums.
    open.closed = open.closed || window.closed;
    if (!window.verdict.empty()) open.verdict = std::move(window.verdict);
    if (window.device.empty()) continue;
    const auto [counts, sums] = open.entry(window.device, window.cohort);
    monitoring::merge(*counts, window.counts);
    monitoring::merge(sums->counts, window.counts);
  }
}

void load_labels(TelemetryState& telemetry, Snapshot& snapshot) {
  for (const LabelTallyRecord& tally : snapshot.tallies) {
    telemetry.tally[{tally.manifest, tally.device}][tally.start.count()] = {
        .labelled = tally.labelled, .correct = tally.correct};
  }
  WaitingLabels& waiting = telemetry.waiting;
  const size_t more = snapshot.labels.size() - std::min(snapshot.labels.size(), kLabelsWaitingMax);
  for (size_t i = more; i < snapshot.labels.size(); ++i) {
    const LabelRecord& label = snapshot.labels[i];
    const InferenceKey key{label.device, label.boot_id, label.inference};
    waiting.by_key[key] = {label.truth, label.wall, waiting.next, label.model};
    waiting.by_order.emplace(waiting.next++, key);
  }
}

}  // namespace

std::vector<Write> new_site(Bytes sealed, Millis wall) {
  return {PutSite{SiteRecord{}},
          PutSiteSecret{{.number = 1, .sealed = std::move(sealed), .create_wall = wall}}};
}

Result<Engine> Engine::load(Snapshot snapshot, const EngineConfig& config, Now now,
                            std::shared_ptr<ReportReader> reader) {
  if (Status good = monitoring::check(config.alert_policy); !good) return good.error();
  State state;
  state.site = snapshot.site;
  state.clocks.started_mono = now.mono;
  state.clocks.last_tick = now.mono;
  state.clocks.last_now = now;
  // A clock that is wrong at the start is put right within this time, before anything is forgotten.
  state.telemetry.last_forget = now.mono;
  state.clocks.observed_kept = state.site.observed;
  state.clocks.connected_observed = state.site.observed;
  state.fleet.reconciling_since = state.site.observed;
  for (SiteSecretRecord& record : snapshot.secrets) {
    const Result<Digest> secret = config.open_secret(record);
    if (!secret) return secret.error();
    const uint32_t number = record.number;
    state.fleet.secrets.emplace(number, SiteSecret{std::move(record), *secret});
  }
  if (state.fleet.secrets.empty()) return inconsistent("the site has no secret");
  for (Device& device : snapshot.devices) {
    if (!state.fleet.secrets.contains(device.secret_number)) {
      return inconsistent(
          fmt::format("secret {} of {} is not there", device.secret_number, device.id.str()));
    }
    state.fleet.add(std::move(device));
  }
  for (ClaimRecord& claim : snapshot.claims) {
    ClaimName name = claim.name;
    if (claim_is_good(state, claim, now.wall)) state.fleet.claims_open.insert(name);
    state.fleet.claims.emplace(std::move(name), std::move(claim));
  }
  for (ClaimIdsRecord& row : snapshot.claim_ids) {
    ClaimName name = row.name;
    state.fleet.claim_ids.emplace(std::move(name), std::move(row.ids));
  }
  for (AuthorityRecord& row : snapshot.authorities) {
    std::string name = row.name;
    state.fleet.authorities.emplace(std::move(name), std::move(row));
  }
  for (RevokedCertificate& row : snapshot.revoked) {
    Bytes serial = row.serial;
    state.fleet.revoked.emplace(std::move(serial), std::move(row));
  }
  for (TrustedKeyRecord& key : snapshot.trusted_keys) {
    Result<PublicKey> parsed = PublicKey::from_pem(key.pem);
    if (!parsed) return inconsistent("trusted key " + key.key_id + " can't be read");
    if (Status added = state.catalogue.trust.add(*std::move(parsed)); !added) return added.error();
    state.catalogue.trusted_keys.emplace(key.key_id, std::move(key));
  }
  for (RootRecord& root : snapshot.roots) {
    const uint32_t version = root.version;
    if (Status trusted = trust_root(state.catalogue, std::move(root)); !trusted) {
      return inconsistent(fmt::format("root document {}: {}", version, trusted.error().message));
    }
  }
  for (TokenRecord& token : snapshot.tokens) {
    std::string name = token.name;
    state.access.tokens.emplace(std::move(name), std::move(token));
  }
  for (ReleaseRecord& release : snapshot.releases) {
    for (const ArtifactRecord& record : release.artifacts) know(state.catalogue, record);
    auto& releases =
        release.delete_wall.count() == 0 ? state.catalogue.releases : state.catalogue.deleted;
    releases.emplace(release.id, std::move(release));
  }
  judge_signatures(state.catalogue);
  if (Status loaded = load_rollouts(state, snapshot); !loaded) return loaded.error();
  recount_receipts(state.rollouts, state.fleet);
  for (GateRecord& gates : snapshot.gates) {
    state.rollouts.gates.emplace(std::pair(gates.rollout, gates.stage), std::move(gates));
  }
  state.rollouts.assignments = std::move(snapshot.assignments);
  for (RequestRecord& request : snapshot.requests) {
    know_request(state.rollouts, std::move(request));
  }
  load_counts(state, snapshot, config.window);
  load_labels(state.telemetry, snapshot);
  for (monitoring::Alert& alert : snapshot.alerts) {
    state.telemetry.alerts.emplace(alert.key, monitoring::AlertTrack{alert.key, alert});
  }
  return Engine(std::move(state), config, std::move(reader));
}

Snapshot Engine::snapshot() const {
  Snapshot snapshot;
  snapshot.site = state_.site;
  for (const auto& [number, secret] : state_.fleet.secrets) {
    snapshot.secrets.push_back(secret.record);
  }
  for (const auto& [id, device] : state_.fleet.devices) snapshot.devices.push_back(device);
  for (const auto& [name, claim] : state_.fleet.claims) snapshot.claims.push_back(claim);
  for (const auto& [name, ids] : state_.fleet.claim_ids) snapshot.claim_ids.push_back({name, ids});
  for (const auto& [name, row] : state_.fleet.authorities) snapshot.authorities.push_back(row);
  for (const auto& [serial, row] : state_.fleet.revoked) snapshot.revoked.push_back(row);
  for (const auto& [id, key] : state_.catalogue.trusted_keys) snapshot.trusted_keys.push_back(key);
  for (const auto& [version, root] : state_.catalogue.roots) snapshot.roots.push_back(root);
  for (const auto& [name, token] : state_.access.tokens) snapshot.tokens.push_back(token);
  std::map<ReleaseId, ReleaseRecord> releases = state_.catalogue.releases;
  releases.insert(state_.catalogue.deleted.begin(), state_.catalogue.deleted.end());
  for (auto& [id, release] : releases) snapshot.releases.push_back(std::move(release));
  for (const auto& [name, rollout] : state_.rollouts.by_name) snapshot.rollouts.push_back(rollout);
  for (const auto& [key, gates] : state_.rollouts.gates) snapshot.gates.push_back(gates);
  for (const auto& [number, deployment] : state_.rollouts.deployments) {
    snapshot.deployments.push_back(deployment);
  }
  for (const auto& [key, devices] : state_.rollouts.counts) {
    const auto& [rollout, stage, rollback, name] = key;
    snapshot.counts.push_back({rollout, stage, rollback, name, devices});
  }
  snapshot.assignments = state_.rollouts.assignments;
  for (const auto& [id, request] : state_.rollouts.requests) snapshot.requests.push_back(request);
  for (const auto& [key, stream] : state_.telemetry.streams) snapshot.streams.push_back(stream);
  for (const auto& [key, total] : state_.telemetry.totals) snapshot.totals.push_back(total);
  for (const auto& [key, track] : state_.telemetry.alerts) {
    if (track.newest) snapshot.alerts.push_back(*track.newest);
  }
  return snapshot;
}

}  // namespace covey::engine
