// SPDX-License-Identifier: Apache-2.0
// Columns of rollouts and what belongs to them, of requests, and of the append-only histories.
#pragma once

#include <vector>

#include "core/fields.hpp"
#include "core/result.hpp"
#include "deploy/deployment/deployment.hpp"
#include "deploy/rollout/rollout.hpp"
#include "storage/records.hpp"

namespace covey::rows {

// Without order and exclusions, which are large and have a table of their own.
constexpr const char* table_name(const RolloutPlan&) { return "rollout_plans"; }
void columns(auto& visit, Like<RolloutPlan> auto& r) {
  visit.key("rollout", r.name);
  visit("document", r.document);
  visit("ends", r.ends);
  visit("holdback", r.holdback);
  visit("creator", r.creator);
  visit("create_wall_ms", r.create_wall);
}
// What no column holds, after reading.
inline Status derive(RolloutPlan& r) {
  Result<Plan> rules = parse_plan(r.document);
  if (!rules) return rules.error();
  r.rules = *std::move(rules);
  return {};
}

struct RolloutOrder {
  RolloutName rollout;
  std::vector<DeviceId> devices;
  std::vector<Exclusion> excluded;
};
constexpr const char* table_name(const RolloutOrder&) { return "rollout_orders"; }
void columns(auto& visit, Like<RolloutOrder> auto& r) {
  visit.key("rollout", r.rollout);
  visit("devices", r.devices);
  visit("excluded", r.excluded);
}

struct ProgressRow {
  RolloutName rollout;
  RolloutProgress progress;
};
constexpr const char* table_name(const ProgressRow&) { return "rollouts"; }
void columns(auto& visit, Like<ProgressRow> auto& r) {
  visit.key("rollout", r.rollout);
  visit("state", r.progress.state);
  visit("reason", r.progress.reason);
  visit("explanation", r.progress.explanation);
  visit("stages", r.progress.stages);
  visit("end_wall_ms", r.progress.end_wall);
  visit("revision", r.progress.revision);
  visit("end_observed_ms", r.progress.end_observed);
  visit("settled", r.progress.settled);
  visit("queued", r.progress.queued);
  visit("cancels", r.progress.cancels);
  visit("assigning", r.progress.assigning);
}

constexpr const char* table_name(const GateRecord&) { return "gates"; }
void columns(auto& visit, Like<GateRecord> auto& r) {
  visit.key("rollout", r.rollout);
  visit.key("stage", r.stage);
  visit("results", r.results);
}

// The same columns in past_deployments.
constexpr const char* table_name(const Deployment&) { return "deployments"; }
void columns(auto& visit, Like<Deployment> auto& r) {
  visit.key("number", r.number);
  visit("device", r.device);
  visit("model", r.release.model);
  visit("major", r.release.version.major);
  visit("minor", r.release.version.minor);
  visit("patch", r.release.version.patch);
  visit("manifest", r.manifest);
  visit("previous", r.previous);
  visit("rollout", r.rollout);
  visit("stage", r.stage);
  visit("cause", r.cause);
  visit("state", r.state);
  visit("attempt", r.attempt);
  visit("attempt_in_rollout", r.attempt_in_rollout);
  visit("reason", r.reason);
  visit("chunks_have", r.chunks_have);
  visit("chunks_total", r.chunks_total);
  visit("attempted", r.attempted);
  visit("granted", r.granted);
  visit("late_confirmed", r.late_confirmed);
  visit("deadline_ms", r.deadline);
  visit("create_wall_ms", r.create_wall);
  visit("update_wall_ms", r.update_wall);
}

constexpr const char* table_name(const CountRecord&) { return "rollout_counts"; }
void columns(auto& visit, Like<CountRecord> auto& r) {
  visit.key("rollout", r.rollout);
  visit.key("stage", r.stage);
  visit.key("rollback", r.rollback);
  visit.key("state", r.state);
  visit("devices", r.devices);
}

constexpr const char* table_name(const AssignmentRecord&) { return "assignments"; }
void columns(auto& visit, Like<AssignmentRecord> auto& r) {
  visit.key("number", r.number);
  visit("model", r.model);
  visit("rollout", r.rollout);
  visit("target", r.target);
  visit("release_model", r.release.model);
  visit("major", r.release.version.major);
  visit("minor", r.release.version.minor);
  visit("patch", r.release.version.patch);
}

constexpr const char* table_name(const RequestRecord&) { return "requests"; }
void columns(auto& visit, Like<RequestRecord> auto& r) {
  visit.key("request_id", r.request_id);
  visit("subject", r.subject);
  visit("content", r.content);
  visit("sequence", r.sequence);
}

constexpr const char* table_name(const EventRecord&) { return "events"; }
void columns(auto& visit, Like<EventRecord> auto& r) {
  visit.key("sequence", r.sequence);
  visit("rollout", r.rollout);
  visit("wall_ms", r.wall);
  visit("kind", r.kind);
  visit("subject", r.subject);
  visit("text", r.text);
}

constexpr const char* table_name(const AuditRecord&) { return "audit"; }
void columns(auto& visit, Like<AuditRecord> auto& r) {
  visit.key("sequence", r.sequence);
  visit("wall_ms", r.wall);
  visit("actor", r.actor);
  visit("action", r.action);
  visit("subject", r.subject);
  visit("detail", r.detail);
  visit("known", r.known);
  visit("came_from", r.from);
  visit("request_id", r.request_id);
  visit("was", r.before);
  visit("became", r.after);
  visit("previous_hash", r.previous);
  visit("hash", r.hash);
}

}  // namespace covey::rows
