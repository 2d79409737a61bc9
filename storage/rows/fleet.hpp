// SPDX-License-Identifier: Apache-2.0
// Columns of the site, devices, trusted keys and releases.
#pragma once

#include "core/fields.hpp"
#include "deploy/deployment/device.hpp"
#include "storage/records.hpp"
#include "storage/rows/artifact.hpp"

namespace covey::rows {

constexpr const char* table_name(const SiteRecord&) { return "site"; }
void columns(auto& visit, Like<SiteRecord> auto& r) {
  visit.only_row("id");
  visit("site_epoch", r.site_epoch);
  visit("observed_ms", r.observed);
  visit("revision", r.revision);
  visit("deployment_number", r.deployment_number);
  visit("event_sequence", r.event_sequence);
  visit("audit_sequence", r.audit_sequence);
  visit("audit_hash", r.audit_hash);
  visit("reconciling", r.reconciling);
  visit("report_sequence", r.report_sequence);
  visit("reports_settled", r.reports_settled);
  visit("claim_number", r.claim_number);
}

constexpr const char* table_name(const SiteSecretRecord&) { return "site_secrets"; }
void columns(auto& visit, Like<SiteSecretRecord> auto& r) {
  visit.key("number", r.number);
  visit("sealed", r.sealed);
  visit("create_wall_ms", r.create_wall);
}

constexpr const char* table_name(const Device&) { return "devices"; }
void columns(auto& visit, Like<Device> auto& r) {
  visit.key("device", r.id);
  visit("state", r.state);
  visit("device_class", r.facts.device_class);
  visit("firmware", r.facts.firmware);
  visit("agent", r.facts.agent);
  visit("slot_bytes", r.facts.slot_bytes);
  visit("arena_bytes", r.facts.arena_bytes);
  visit("message_bytes_max", r.facts.message_bytes_max);
  visit("runtime", r.facts.runtime);
  visit("operator_set", r.facts.operator_set);
  visit("algorithms", r.facts.algorithms);
  visit("preprocessing_id", r.facts.preprocessing_id);
  visit("labels", r.labels);
  visit("shard", r.shard);
  visit("enroll_nonce", r.enroll_nonce);
  visit("enroll_generation", r.enroll_generation);
  visit("secret_number", r.secret_number);
  visit("enrolled", r.enrolled);
  visit("boot_id", r.boot_id);
  visit("nonce", r.nonce);
  visit("goal_counter", r.goal_counter);
  visit("goal_counter_seen", r.goal_counter_seen);
  visit("goal_nonce", r.goal_nonce);
  visit("goal_dirty", r.goal_dirty);
  visit("status_number", r.status_number);
  visit("last_seen_wall_ms", r.last_seen_wall);
  visit("models", r.models);
  visit("report_interval_s", r.settings.report_interval_s);
  visit("sample_scale", r.settings.sample_scale);
  visit("enroll_changes", r.enroll_changes);
  visit("enroll_changed_wall_ms", r.enroll_changed_wall);
  visit("own_key", r.key);
  visit("wants_certificate", r.wants_certificate);
  visit("certificate_serial", r.certificate_serial);
  visit("certificate_from_ms", r.certificate_from);
  visit("certificate_until_ms", r.certificate_until);
  visit("certificate_before", r.certificate_before);
  visit("certificate_before_until_ms", r.certificate_before_until);
  visit("claim", r.claim);
  visit("authority", r.authority);
  visit("registered_key", r.registered_key);
  visit("registered_certificate", r.registered_certificate);
  visit("successor", r.successor);
}

constexpr const char* table_name(const ClaimRecord&) { return "claims"; }
void columns(auto& visit, Like<ClaimRecord> auto& r) {
  visit.key("name", r.name);
  visit("number", r.number);
  visit("create_wall_ms", r.create_wall);
  visit("expire_wall_ms", r.expire_wall);
  visit("revoke_wall_ms", r.revoke_wall);
  visit("count_max", r.count_max);
  visit("used", r.used);
  visit("per_device", r.per_device);
  visit("accept", r.accept);
  visit("lists", r.lists);
  visit("secret_number", r.secret_number);
}

constexpr const char* table_name(const ClaimIdsRecord&) { return "claim_ids"; }
void columns(auto& visit, Like<ClaimIdsRecord> auto& r) {
  visit.key("name", r.name);
  visit("ids", r.ids);
}

constexpr const char* table_name(const AuthorityRecord&) { return "device_authorities"; }
void columns(auto& visit, Like<AuthorityRecord> auto& r) {
  visit.key("name", r.name);
  visit("certificate", r.certificate);
  visit("create_wall_ms", r.create_wall);
}

constexpr const char* table_name(const RevokedCertificate&) { return "revoked_certificates"; }
void columns(auto& visit, Like<RevokedCertificate> auto& r) {
  visit.key("serial", r.serial);
  visit("device", r.device);
  visit("until_wall_ms", r.until);
}

constexpr const char* table_name(const TrustedKeyRecord&) { return "trusted_keys"; }
void columns(auto& visit, Like<TrustedKeyRecord> auto& r) {
  visit.key("key_id", r.key_id);
  visit("algorithm", r.algorithm);
  visit("pem", r.pem);
  visit("comment", r.comment);
  visit("create_wall_ms", r.create_wall);
}

constexpr const char* table_name(const RootRecord&) { return "roots"; }
void columns(auto& visit, Like<RootRecord> auto& r) {
  visit.key("version", r.version);
  visit("document", r.document);
  visit("import_wall_ms", r.import_wall);
}

constexpr const char* table_name(const TokenRecord&) { return "tokens"; }
void columns(auto& visit, Like<TokenRecord> auto& r) {
  visit.key("name", r.name);
  visit("hash", r.hash);
  visit("role", r.role);
  visit("models", r.models);
  visit("creator", r.creator);
  visit("create_wall_ms", r.create_wall);
  visit("expire_wall_ms", r.expire_wall);
  visit("use_wall_ms", r.use_wall);
}

// Its artifacts have a table of their own.
constexpr const char* table_name(const ReleaseRecord&) { return "releases"; }
void columns(auto& visit, Like<ReleaseRecord> auto& r) {
  visit.key("model", r.id.model);
  visit.key("major", r.id.version.major);
  visit.key("minor", r.id.version.minor);
  visit.key("patch", r.id.version.patch);
  visit("create_wall_ms", r.create_wall);
  visit("delete_wall_ms", r.delete_wall);
  visit("source", r.source);
}

constexpr const char* table_name(const ArtifactRow&) { return "artifacts"; }
void columns(auto& visit, Like<ArtifactRow> auto& r) {
  visit.key("model", r.release.model);
  visit.key("major", r.release.version.major);
  visit.key("minor", r.release.version.minor);
  visit.key("patch", r.release.version.patch);
  visit.key("position", r.position);
  visit("digest", r.digest);
  visit("signed_by", r.signed_by);
  visit("signed_manifest", r.parts.signed_manifest);
  visit("image", r.parts.image);
  visit("tables", r.parts.tables);
  visit("gateway_part", r.parts.gateway_part);
}

}  // namespace covey::rows
