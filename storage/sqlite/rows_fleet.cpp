// Site, devices, keys and releases.
#include <algorithm>

#include "storage/sqlite/record_json.hpp"
#include "storage/sqlite/rows.hpp"

namespace covey::sqlite {

void bind(Statement& to, const ReleaseId& release) {
  to.text(release.model.str())
      .number(release.version.major)
      .number(release.version.minor)
      .number(release.version.patch);
}

ReleaseId read_release(Row& row) {
  ReleaseId release;
  row.id(release.model);
  release.version.major = row.number<uint32_t>();
  release.version.minor = row.number<uint32_t>();
  release.version.patch = row.number<uint32_t>();
  return release;
}

const Table& RowOf<SiteRecord>::table() {
  static const Table table{"site",
                           {"id"},
                           {"site_epoch", "secret", "observed_ms", "revision", "deployment_number",
                            "event_sequence", "audit_sequence", "reconciling"}};
  return table;
}
void RowOf<SiteRecord>::bind(Statement& to, const SiteRecord& r) {
  to.integer(1)
      .number(r.site_epoch)
      .blob(r.secret.bytes)
      .integer(r.observed.count())
      .number(r.revision)
      .number(r.deployment_number)
      .number(r.event_sequence)
      .number(r.audit_sequence)
      .integer(r.reconciling);
}
SiteRecord RowOf<SiteRecord>::read(Row& row) {
  SiteRecord r;
  row.skip();
  r.site_epoch = row.number<uint32_t>();
  r.secret = row.digest();
  r.observed = row.millis();
  r.revision = row.number<uint64_t>();
  r.deployment_number = row.number<uint64_t>();
  r.event_sequence = row.number<uint64_t>();
  r.audit_sequence = row.number<uint64_t>();
  r.reconciling = row.flag();
  return r;
}

const Table& RowOf<Device>::table() {
  static const Table table{"devices",
                           {"device"},
                           {"state",
                            "device_class",
                            "firmware",
                            "agent",
                            "slot_bytes",
                            "arena_bytes",
                            "message_bytes_max",
                            "runtime",
                            "operator_set",
                            "algorithms",
                            "preprocessing_id",
                            "labels",
                            "shard",
                            "enroll_nonce",
                            "enroll_generation",
                            "enrolled",
                            "boot_id",
                            "nonce",
                            "goal_counter",
                            "goal_counter_seen",
                            "goal_nonce",
                            "goal_dirty",
                            "status_number",
                            "last_seen_wall_ms",
                            "models",
                            "report_interval_s",
                            "sample_scale"}};
  return table;
}
void RowOf<Device>::bind(Statement& to, const Device& r) {
  to.text(r.id.str()).text(to_string(r.state));
  to.text(r.facts.device_class.str())
      .text(r.facts.firmware)
      .text(r.facts.agent)
      .number(r.facts.slot_bytes)
      .number(r.facts.arena_bytes)
      .number(r.facts.message_bytes_max)
      .number(r.facts.runtime)
      .number(r.facts.operator_set)
      .number(r.facts.algorithms)
      .number(r.facts.preprocessing_id);
  to.text(to_json(r.labels))
      .number(r.shard)
      .number(r.enroll_nonce)
      .number(r.enroll_generation)
      .integer(r.enrolled)
      .number(r.boot_id)
      .number(r.nonce)
      .number(r.goal_counter)
      .number(r.goal_counter_seen)
      .number(r.goal_nonce)
      .integer(r.goal_dirty)
      .number(r.status_number)
      .integer(r.last_seen_wall.count())
      .text(to_json(r.models))
      .number(r.settings.report_interval_s)
      .number(r.settings.sample_scale);
}
Device RowOf<Device>::read(Row& row) {
  Device r;
  row.id(r.id);
  r.state = row.word(parse_device_state);
  row.id(r.facts.device_class);
  r.facts.firmware = row.text();
  r.facts.agent = row.text();
  r.facts.slot_bytes = row.number<uint32_t>();
  r.facts.arena_bytes = row.number<uint32_t>();
  r.facts.message_bytes_max = row.number<uint32_t>();
  r.facts.runtime = row.number<uint32_t>();
  r.facts.operator_set = row.number<uint64_t>();
  r.facts.algorithms = row.number<uint32_t>();
  r.facts.preprocessing_id = row.number<uint32_t>();
  r.labels = row.decoded(from_json<Labels>(row.text()));
  r.shard = row.number<uint32_t>();
  r.enroll_nonce = row.number<uint64_t>();
  r.enroll_generation = row.number<uint32_t>();
  r.enrolled = row.flag();
  r.boot_id = row.number<uint64_t>();
  r.nonce = row.number<uint64_t>();
  r.goal_counter = row.number<uint64_t>();
  r.goal_counter_seen = row.number<uint64_t>();
  r.goal_nonce = row.number<uint64_t>();
  r.goal_dirty = row.flag();
  r.status_number = row.number<uint32_t>();
  r.last_seen_wall = row.millis();
  r.models = row.decoded(from_json<Models>(row.text()));
  r.settings.report_interval_s = row.number<uint32_t>();
  r.settings.sample_scale = row.number<uint32_t>();
  return r;
}

const Table& RowOf<TrustedKeyRecord>::table() {
  static const Table table{
      "trusted_keys", {"key_id"}, {"algorithm", "pem", "comment", "create_wall_ms"}};
  return table;
}
void RowOf<TrustedKeyRecord>::bind(Statement& to, const TrustedKeyRecord& r) {
  to.text(r.key_id).text(r.algorithm).text(r.pem).text(r.comment).integer(r.create_wall.count());
}
TrustedKeyRecord RowOf<TrustedKeyRecord>::read(Row& row) {
  TrustedKeyRecord r;
  r.key_id = row.text();
  r.algorithm = row.text();
  r.pem = row.text();
  r.comment = row.text();
  r.create_wall = row.millis();
  return r;
}

const Table& RowOf<ReleaseRecord>::table() {
  static const Table table{"releases", {"model", "major", "minor", "patch"}, {"create_wall_ms"}};
  return table;
}
void RowOf<ReleaseRecord>::bind(Statement& to, const ReleaseRecord& r) {
  sqlite::bind(to, r.id);
  to.integer(r.create_wall.count());
}
ReleaseRecord RowOf<ReleaseRecord>::read(Row& row) {
  ReleaseRecord r;
  r.id = read_release(row);
  r.create_wall = row.millis();
  return r;
}

const Table& RowOf<StoredArtifact>::table() {
  static const Table table{
      "artifacts",
      {"model", "major", "minor", "patch", "position"},
      {"digest", "signed_by", "signed_manifest", "image", "tables", "gateway_part"}};
  return table;
}
void RowOf<StoredArtifact>::bind(Statement& to, const StoredArtifact& r) {
  const Artifact& artifact = *r.record.artifact;
  sqlite::bind(to, r.record.release);
  to.number(r.record.position)
      .blob(artifact.digest.bytes)
      .blob(artifact.signed_by)
      .blob(artifact.signed_manifest_bytes)
      .blob(artifact.image)
      .blob(artifact.tables_bytes)
      .blob(artifact.gateway_part_bytes);
}
StoredArtifact RowOf<StoredArtifact>::read(Row& row) {
  StoredArtifact r;
  r.record.release = read_release(row);
  r.record.position = row.number<uint32_t>();
  const Digest digest = row.digest();
  const Bytes signed_by = row.blob();
  KeyId key{};
  if (signed_by.size() != key.size()) row.refuse("not a key id");
  std::copy_n(signed_by.begin(), std::min(signed_by.size(), key.size()), key.begin());
  ArtifactUpload upload;
  upload.signed_manifest = row.blob();
  upload.image = row.blob();
  upload.tables = row.blob();
  upload.gateway_part = row.blob();
  if (!row.status()) return r;
  Result<Artifact> artifact = reopen_artifact(std::move(upload));
  if (!artifact) {
    row.refuse("artifact of " + to_string(r.record.release) + ": " + artifact.error().message);
    return r;
  }
  if (artifact->digest != digest) row.refuse("another manifest than its digest says");
  artifact->signed_by = key;
  r.record.artifact = std::make_shared<const Artifact>(*std::move(artifact));
  return r;
}

}  // namespace covey::sqlite
