// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/messages.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "core/assert.hpp"
#include "core/duration.hpp"
#include "deploy/root/root.hpp"
#include "gateway/api/limits.hpp"
#include "gateway/api/names.hpp"
#include "gateway/codec/plan_codec.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/waits.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/alert_words.hpp"

namespace covey::api {
namespace {

v1::DeviceState state_of(DeviceState state) {
  switch (state) {
    case DeviceState::kPending:
      return v1::DEVICE_STATE_PENDING;
    case DeviceState::kAccepted:
      return v1::DEVICE_STATE_ACCEPTED;
    case DeviceState::kRejected:
      return v1::DEVICE_STATE_REJECTED;
    case DeviceState::kRegistered:
      return v1::DEVICE_STATE_REGISTERED;
    case DeviceState::kDecommissioned:
      return v1::DEVICE_STATE_DECOMMISSIONED;
  }
  return v1::DEVICE_STATE_UNSPECIFIED;
}

// The domain's text and the API's enum agree but for the prefix: one table less to keep in step.
template <typename Enum, typename Parse>
Enum by_name(Parse parse, std::string_view prefix, std::string_view text, Enum unknown) {
  Enum value = unknown;
  return parse(std::string(prefix) + std::string(text), &value) ? value : unknown;
}

std::string release_of(const engine::State& state, const std::optional<Digest>& manifest) {
  if (!manifest) return "";
  const auto known = state.catalogue.artifacts.find(*manifest);
  return known == state.catalogue.artifacts.end() ? to_hex(*manifest)
                                                  : to_string(known->second.release);
}

std::string hex64(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

template <typename Map>
void put_counts(Map& to, const engine::StateCounts& counts) {
  for (const auto& [name, count] : counts) to[name] = count;
}

void fill_model(v1::DeviceModel& to, const engine::State& state, const Device& device,
                const ModelName& name, const DeviceModel& model) {
  to.set_model(name.str());
  to.set_confirmed_release(engine::version_of(state, model.reported.confirmed));
  to.set_active_release(engine::version_of(state, model.reported.active));
  to.set_candidate_release(engine::version_of(state, model.reported.candidate));
  to.set_phase(model.reported.phase);
  to.set_reason(model.reported.reason.empty() ? model.reported.fallback_reason
                                              : model.reported.reason);
  const Deployment* deployment = engine::deployment_in_progress(state, device.id, name);
  to.set_goal_release(deployment != nullptr ? to_string(deployment->release.version)
                                            : engine::version_of(state, model.desired));
  to.set_attempt(model.reported.attempt);
  to.set_chunks_have(model.reported.chunks_have);
  to.set_chunks_total(model.reported.chunks_total);
}

void fill_gates(v1::Stage& to, const engine::State& state, const RolloutName& rollout,
                uint32_t stage) {
  const auto gates = state.rollouts.gates.find({rollout, stage});
  if (gates == state.rollouts.gates.end()) return;
  for (const monitoring::GateResult& result : gates->second.results) {
    v1::GateResult& gate = *to.add_gates();
    gate.set_gate(result.gate);
    gate.set_verdict(
        by_name(v1::Verdict_Parse, "VERDICT_", to_string(result.verdict), v1::VERDICT_UNSPECIFIED));
    gate.set_reason(result.reason);
    gate.set_explanation(result.explanation);
    for (const monitoring::Measure& measure : result.measures) {
      v1::Measure& m = *gate.add_measures();
      m.set_name(measure.name);
      m.set_stratum(measure.scope);
      m.set_value(number(measure.value));
      if (measure.bound) m.set_bound(number(*measure.bound));
    }
  }
}

// Not proven to be back: also who failed, timed out or was skipped.
uint32_t outstanding_rollbacks(const engine::State& state, const RolloutName& rollout) {
  const auto index = state.rollouts.attempts.find(rollout);
  if (index != state.rollouts.attempts.end()) {
    return static_cast<uint32_t>(index->second.rollback.unproven.size());
  }
  uint32_t outstanding = 0;
  for (const auto& [name, devices] : engine::count_rollbacks(state, rollout)) {
    if (parse_deployment_state(name) != DeploymentState::kConfirmed) outstanding += devices;
  }
  return outstanding;
}

void fill_wait(v1::Wait& to, const engine::Wait& wait) {
  to.set_what(wait.what);
  for (const DeviceId& device : wait.devices) to.add_devices(device.str());
  to.set_devices_total(wait.devices_total);
  to.set_since_ms(wait.since.count());
  to.set_until_ms(wait.until.count());
  to.set_explanation(wait.explanation);
  to.set_advice(wait.advice);
}

}  // namespace

void fill(v1::Device& to, const engine::State& state, const Device& device) {
  to.set_name(name_of(device.id));
  to.set_state(state_of(device.state));
  to.set_device_class(device.facts.device_class.str());
  for (const auto& [key, value] : device.labels) (*to.mutable_labels())[key] = value;
  to.set_firmware(device.facts.firmware);
  to.set_agent(device.facts.agent);
  to.set_slot_bytes(device.facts.slot_bytes);
  to.set_arena_bytes(device.facts.arena_bytes);
  to.set_message_bytes_max(device.facts.message_bytes_max);
  to.set_online(engine::is_online(state, device.id));
  to.set_last_seen_ms(engine::last_heard(state, device).count());
  for (const auto& [name, model] : device.models) {
    fill_model(*to.add_models(), state, device, name, model);
  }
  to.set_etag(engine::etag_of(device));
  uint64_t inferences = 0;
  for (auto total = state.telemetry.totals.lower_bound({device.id, Digest{}, Cohort()});
       total != state.telemetry.totals.end() && std::get<0>(total->first) == device.id; ++total) {
    inferences += total->second.inferences;
  }
  to.set_inferences(inferences);
  if (device.boot_id != 0) to.set_boot_id(hex64(device.boot_id));
  if (device.enroll_nonce != 0) to.set_enroll_nonce(hex64(device.enroll_nonce));
  to.set_enroll_changes(device.enroll_changes);
  to.set_enroll_changed_time_ms(device.enroll_changed_wall.count());
  to.set_claim(device.claim.str());
  to.set_authority(device.authority);
  to.set_registered_key(to_hex(device.registered_key));
  to.set_registered_certificate(to_hex(device.registered_certificate));
  if (!device.successor.empty()) to.set_successor("devices/" + device.successor.str());
  to.set_key_fingerprint(engine::key_fingerprint(device.key));
  to.set_certificate_until_ms(device.certificate_until.count());
  to.set_report_interval_s(device.settings.report_interval_s);
  to.set_sample_scale(device.settings.sample_scale);
}

void fill(v1::InferenceTotal& to, const TotalRecord& record) {
  to.set_inferences(record.inferences);
  to.set_windows(record.windows);
  to.set_windows_lost(record.windows_lost);
  to.set_errors(record.errors);
  to.set_energy_inferences(record.energy_inferences);
  to.set_energy_sum_uj(record.energy_sum_uj);
  const monitoring::Health& health = record.health;
  if (health.heap_free_min_bytes != 0) to.set_heap_free_min_bytes(health.heap_free_min_bytes);
  if (health.arena_used_max_bytes != 0) to.set_arena_used_max_bytes(health.arena_used_max_bytes);
  if (health.stack_used_max_bytes != 0) to.set_stack_used_max_bytes(health.stack_used_max_bytes);
  to.set_drops(health.drops);
  to.set_rejects(health.rejects);
  to.set_watchdog_resets(health.watchdog_resets);
  to.set_saturated(health.saturated);
}

void fill(v1::Release& to, const ReleaseRecord& release) {
  to.set_name(name_of(release.id));
  to.set_model(release.id.model.str());
  to.set_version(to_string(release.id.version));
  to.set_create_time_ms(release.create_wall.count());
  to.set_source(release.source);
  for (const ArtifactRecord& record : release.artifacts) {
    const Artifact& artifact = *record.artifact;
    v1::Artifact& a = *to.add_artifacts();
    a.set_manifest_digest(to_hex(artifact.digest));
    for (const DeviceClass& c : artifact.manifest.device_classes) a.add_device_classes(c.str());
    a.set_image_size_bytes(artifact.manifest.image_size_bytes);
    a.set_model_size_bytes(artifact.manifest.model_size_bytes);
    a.set_arena_bytes(artifact.manifest.arena_bytes);
    a.set_chunk_size_bytes(artifact.manifest.chunk_size_bytes);
    a.set_security_version(artifact.manifest.security_version);
    a.set_preprocessing_id(artifact.manifest.preprocessing_id);
    for (const Signature& signature : artifact.signed_manifest.signatures) {
      a.add_signature_key_ids(to_hex(signature.key_id));
    }
  }
}

void fill(v1::Exclusion& to, const Exclusion& exclusion) {
  to.set_device(exclusion.device.str());
  to.set_reason(exclusion.reason);
  to.set_explanation(exclusion.explanation);
}

void fill_summary(v1::Rollout& to, const engine::State& state, const Rollout& rollout) {
  to.set_name(name_of(rollout.plan->name));
  *to.mutable_spec() = plan_to_proto(rollout.plan->document);
  to.set_state(by_name(v1::RolloutState_Parse, "ROLLOUT_STATE_", to_string(rollout.progress.state),
                       v1::ROLLOUT_STATE_UNSPECIFIED));
  to.set_reason(rollout.progress.reason);
  to.set_explanation(rollout.progress.explanation);
  const std::optional<size_t> current = current_stage(rollout.progress);
  for (size_t i = 0; i < rollout.plan->rules.stages.size(); ++i) {
    const Stage& stage = rollout.plan->rules.stages[i];
    v1::Stage& s = *to.add_stages();
    s.set_name(stage.name);
    const uint32_t end = i < rollout.plan->ends.size() ? rollout.plan->ends[i] : 0;
    s.set_devices(end);
    s.set_devices_new(i == 0 ? end : end - rollout.plan->ends[i - 1]);
    const auto number = static_cast<uint32_t>(i);
    put_counts(*s.mutable_deployments(),
               engine::count_deployments(state, rollout.plan->name, number));
    s.set_received(engine::count_received(state, rollout.plan->name, number, false));
    if (i >= rollout.progress.stages.size()) continue;
    const StageProgress& progress = rollout.progress.stages[i];
    s.set_state(by_name(v1::StageState_Parse, "STAGE_STATE_", to_string(progress.state),
                        v1::STAGE_STATE_UNSPECIFIED));
    s.set_start_time_ms(progress.start_wall.count());
    s.set_end_time_ms(progress.end_wall.count());
    s.set_approver(progress.approver);
    if (progress.state == StageState::kSoaking) {
      s.set_soak_remaining(
          to_string(std::max(Millis{0}, stage.soak - soaked(progress, state.site.observed))));
    }
    if (current == i && rollout.progress.state == RolloutState::kRunning &&
        stage.approval_required && !progress.approved && progress.state == StageState::kPending) {
      to.set_awaiting_approval(true);
    }
  }
  if (rollout.progress.state == RolloutState::kAwaitingApproval) to.set_awaiting_approval(true);
  put_counts(*to.mutable_deployments(),
             engine::count_deployments(state, rollout.plan->name, std::nullopt));
  put_counts(*to.mutable_rollback_deployments(),
             engine::count_rollbacks(state, rollout.plan->name));
  to.set_received(engine::count_received(state, rollout.plan->name, std::nullopt, false));
  to.set_rollback_received(engine::count_received(state, rollout.plan->name, std::nullopt, true));
  to.set_rollback_outstanding(outstanding_rollbacks(state, rollout.plan->name));
  to.set_create_time_ms(rollout.plan->create_wall.count());
  to.set_end_time_ms(rollout.progress.end_wall.count());
  to.set_revision(rollout.progress.revision);
  to.set_etag(std::to_string(rollout.progress.revision));
  to.set_holdback_devices(rollout.plan->holdback);
  to.set_creator(rollout.plan->creator);
}

void fill_exclusions(v1::Rollout& to, const std::vector<Exclusion>& all, const DeviceId& after) {
  to.clear_excluded();
  to.set_excluded_devices(static_cast<uint32_t>(all.size()));
  auto next = std::ranges::upper_bound(all, after, {}, &Exclusion::device);
  for (; next != all.end() && static_cast<size_t>(to.excluded_size()) < kExclusionsShown; ++next) {
    fill(*to.add_excluded(), *next);
  }
}

void fill(v1::Rollout& to, const engine::State& state, const Rollout& rollout) {
  fill_summary(to, state, rollout);
  for (int i = 0; i < to.stages_size(); ++i) {
    fill_gates(*to.mutable_stages(i), state, rollout.plan->name, static_cast<uint32_t>(i));
  }
  fill_exclusions(to, rollout.plan->excluded, DeviceId());
  for (const engine::Wait& wait : engine::waits_of(state, rollout))
    fill_wait(*to.add_waits(), wait);
}

void fill(v1::Deployment& to, const engine::State& state, const Deployment& deployment) {
  const std::string parent = deployment.rollout ? name_of(*deployment.rollout) : "assignments";
  to.set_name(parent + "/deployments/" + deployment.device.str() + "." +
              std::to_string(deployment.attempt_in_rollout));
  to.set_device(deployment.device.str());
  if (deployment.rollout) {
    const auto rollout = state.rollouts.by_name.find(*deployment.rollout);
    if (rollout != state.rollouts.by_name.end() &&
        deployment.stage < rollout->second.plan->rules.stages.size()) {
      to.set_stage(rollout->second.plan->rules.stages[deployment.stage].name);
    }
  }
  to.set_cause(std::string(to_string(deployment.cause)));
  to.set_release(to_string(deployment.release));
  to.set_previous_release(release_of(state, deployment.previous));
  to.set_state(by_name(v1::DeploymentState_Parse, "DEPLOYMENT_STATE_", to_string(deployment.state),
                       v1::DEPLOYMENT_STATE_UNSPECIFIED));
  to.set_attempt(deployment.attempt_in_rollout);
  to.set_reason(deployment.reason);
  to.set_chunks_have(deployment.chunks_have);
  to.set_chunks_total(deployment.chunks_total);
  to.set_create_time_ms(deployment.create_wall.count());
  to.set_update_time_ms(deployment.update_wall.count());
  to.set_late_confirmed(deployment.late_confirmed);
  to.set_received(engine::was_received(state.fleet, deployment));
}

void fill(v1::Alert& to, const monitoring::Alert& alert) {
  to.set_name("alerts/" + monitoring::alert_id(alert.key, alert.episode));
  to.set_state(by_name(v1::AlertState_Parse, "ALERT_STATE_", monitoring::to_string(alert.state),
                       v1::ALERT_STATE_UNSPECIFIED));
  to.set_kind(std::string(monitoring::to_string(alert.key.kind)));
  to.set_severity(std::string(monitoring::to_string(alert.severity)));
  to.set_model(alert.key.model);
  to.set_release(alert.key.scope);
  to.set_feature(alert.key.subject);
  const std::vector<DeviceId> devices = monitoring::devices_of(alert);
  for (const DeviceId& device : devices) to.add_devices(device.str());
  to.set_scope(devices.empty() ? "POOLED" : "DEVICES");
  to.set_explanation(engine::explain(alert));
  to.set_start_time_ms(alert.opened_at.count());
  to.set_fire_time_ms(alert.fired_at.value_or(Millis{0}).count());
  to.set_resolve_time_ms(alert.resolved_at.value_or(Millis{0}).count());
  to.set_acknowledged(alert.acknowledged.has_value());
}

void fill(v1::Histogram& to, const engine::HistogramView& view) {
  to.set_name(view.name);
  to.mutable_edges()->Assign(view.edges.begin(), view.edges.end());
  for (const std::string& name : view.bin_names) to.add_bin_names(name);
  to.mutable_baseline()->Assign(view.baseline.begin(), view.baseline.end());
  to.mutable_now()->Assign(view.now.begin(), view.now.end());
  using monitoring::DriftOutcome;
  const DriftOutcome outcome = view.verdict.outcome;
  if (view.verdict.compared && outcome != DriftOutcome::kInsufficientData &&
      outcome != DriftOutcome::kInsufficientDevices) {
    to.set_psi(view.verdict.psi);
    to.set_psi_low(view.verdict.psi_low);
    to.set_psi_high(view.verdict.psi_high);
    to.set_p_value(view.verdict.p_value);
    to.set_deff(view.verdict.deff);
  }
  to.set_missing(view.verdict.missing);
  to.set_outcome(std::string(monitoring::to_string(view.verdict.outcome)));
  for (const DeviceId& device : view.verdict.devices) to.add_devices(device.str());
}

void fill(v1::TrustedKey& to, const TrustedKeyRecord& key) {
  to.set_key_id(key.key_id);
  to.set_algorithm(key.algorithm);
  to.set_pem(key.pem);
  to.set_comment(key.comment);
  to.set_create_time_ms(key.create_wall.count());
}

void fill(v1::Root& to, const RootRecord& record) {
  to.set_version(record.version);
  to.set_document(record.document.data(), record.document.size());
  to.set_import_time_ms(record.import_wall.count());
  const Result<SignedRoot> document = decode_signed_root(record.document);
  COVEY_ASSERT(document.ok());
  const Result<Root> root = decode_root(document->root);
  COVEY_ASSERT(root.ok());
  to.set_root_threshold(root->root_threshold);
  to.set_author_threshold(root->author_threshold);
  for (const RootKey& key : root->keys) {
    v1::RootKey& row = *to.add_keys();
    row.set_key_id(to_hex(key.key.id()));
    row.set_algorithm(std::string(to_string(key.key.algorithm())));
    row.set_pem(key.key.to_pem());
    row.set_root(key.root);
    row.set_author(key.author);
  }
}

void fill(v1::Window& to, const engine::State& state, const WindowRecord& window) {
  to.set_release(release_of(state, window.manifest));
  to.set_cohort(window.cohort.text());
  to.set_start_ms(window.start.count());
  to.set_end_ms((window.start + window.length).count());
  to.set_devices(window.devices);
  to.set_inferences(window.counts.inferences);
  // A device's row is not written again when its window closes; only open ones stay in memory.
  const auto open = state.telemetry.windows.find({window.manifest, window.index});
  to.set_closed(window.closed || open == state.telemetry.windows.end() || open->second.closed);
  to.set_revised(window.revised);
  to.mutable_classes()->Assign(window.counts.classes.begin(), window.counts.classes.end());
  const auto quantile = [&](int32_t percent) -> std::optional<uint32_t> {
    const auto q = monitoring::latency_quantile(window.counts.latency, Ratio::percent(percent),
                                                window.counts.latency_max_us);
    if (!q) return std::nullopt;
    return static_cast<uint32_t>(q->estimate_us);
  };
  if (const auto p50 = quantile(50)) to.set_latency_p50_us(*p50);
  if (const auto p95 = quantile(95)) to.set_latency_p95_us(*p95);
  to.set_device(window.device.str());
}

}  // namespace covey::api
