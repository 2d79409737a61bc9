CREATE TABLE alerts (
  model TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  scope TEXT NOT NULL,
  episode INTEGER NOT NULL,
  state TEXT NOT NULL,
  severity TEXT NOT NULL,
  explanation TEXT NOT NULL,
  abnormal INTEGER NOT NULL,
  quiet_streak INTEGER NOT NULL,
  histories TEXT NOT NULL,  -- JSON array
  opened_wall_ms INTEGER NOT NULL,
  fired_wall_ms INTEGER,
  resolved_wall_ms INTEGER,
  acknowledged_by TEXT,
  acknowledged_note TEXT,
  acknowledged_wall_ms INTEGER,
  PRIMARY KEY (model, kind, subject, scope, episode)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
  model TEXT NOT NULL,
  major INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  patch INTEGER NOT NULL,
  position INTEGER NOT NULL,
  digest BLOB NOT NULL,
  signed_by BLOB NOT NULL,
  signed_manifest BLOB NOT NULL,
  image BLOB NOT NULL,
  tables BLOB NOT NULL,
  gateway_part BLOB NOT NULL,
  PRIMARY KEY (model, major, minor, patch, position)
) STRICT;

CREATE TABLE assignments (
  number INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  rollout TEXT NOT NULL,
  target TEXT NOT NULL,
  release_model TEXT NOT NULL,
  major INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  patch INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,
  wall_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL
, known TEXT NOT NULL DEFAULT '', came_from TEXT NOT NULL DEFAULT '', request_id TEXT NOT NULL DEFAULT '', was TEXT NOT NULL DEFAULT '', became TEXT NOT NULL DEFAULT '', previous_hash BLOB NOT NULL
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000', hash BLOB NOT NULL
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000') STRICT;

CREATE TABLE claim_ids (
  name TEXT PRIMARY KEY,
  ids TEXT NOT NULL  -- JSON array
) STRICT, WITHOUT ROWID;

CREATE TABLE claims (
  name TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  create_wall_ms INTEGER NOT NULL,
  expire_wall_ms INTEGER NOT NULL,
  revoke_wall_ms INTEGER NOT NULL,
  count_max INTEGER NOT NULL,
  used INTEGER NOT NULL,
  per_device INTEGER NOT NULL,
  accept INTEGER NOT NULL,
  lists INTEGER NOT NULL,
  secret_number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
  number INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  model TEXT NOT NULL,
  major INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  patch INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  previous BLOB,
  rollout TEXT,
  stage INTEGER NOT NULL,
  cause TEXT NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  attempt_in_rollout INTEGER NOT NULL,
  reason TEXT NOT NULL,
  chunks_have INTEGER NOT NULL,
  chunks_total INTEGER NOT NULL,
  attempted INTEGER NOT NULL,
  granted INTEGER NOT NULL,
  late_confirmed INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  create_wall_ms INTEGER NOT NULL,
  update_wall_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE device_authorities (
  name TEXT PRIMARY KEY,
  certificate BLOB NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
  device TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  device_class TEXT NOT NULL,
  firmware TEXT NOT NULL,
  agent TEXT NOT NULL,
  slot_bytes INTEGER NOT NULL,
  arena_bytes INTEGER NOT NULL,
  message_bytes_max INTEGER NOT NULL,
  runtime INTEGER NOT NULL,
  operator_set INTEGER NOT NULL,
  algorithms INTEGER NOT NULL,
  preprocessing_id INTEGER NOT NULL,
  labels TEXT NOT NULL,  -- JSON object
  shard INTEGER NOT NULL,
  enroll_nonce INTEGER NOT NULL,
  enroll_generation INTEGER NOT NULL,
  enrolled INTEGER NOT NULL,
  boot_id INTEGER NOT NULL,
  nonce INTEGER NOT NULL,
  goal_counter INTEGER NOT NULL,
  goal_counter_seen INTEGER NOT NULL,
  goal_nonce INTEGER NOT NULL,
  goal_dirty INTEGER NOT NULL,
  status_number INTEGER NOT NULL,
  last_seen_wall_ms INTEGER NOT NULL,
  models TEXT NOT NULL  -- JSON array: what is desired and what the device reported, per model
, report_interval_s INTEGER NOT NULL DEFAULT 0, sample_scale INTEGER NOT NULL DEFAULT 0, enroll_changes INTEGER NOT NULL DEFAULT 0, enroll_changed_wall_ms INTEGER NOT NULL DEFAULT 0, own_key BLOB NOT NULL DEFAULT x'', wants_certificate INTEGER NOT NULL DEFAULT 0, certificate_serial BLOB NOT NULL DEFAULT x'', certificate_from_ms INTEGER NOT NULL DEFAULT 0, certificate_until_ms INTEGER NOT NULL DEFAULT 0, certificate_before BLOB NOT NULL DEFAULT x'', certificate_before_until_ms INTEGER NOT NULL DEFAULT 0, secret_number INTEGER NOT NULL DEFAULT 1, claim TEXT NOT NULL DEFAULT '', authority TEXT NOT NULL DEFAULT '', registered_key BLOB NOT NULL DEFAULT x'', registered_certificate BLOB NOT NULL DEFAULT x'', successor TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;

CREATE TABLE events (
  sequence INTEGER PRIMARY KEY,
  rollout TEXT NOT NULL,
  wall_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE gates (
  rollout TEXT NOT NULL,
  stage INTEGER NOT NULL,
  results TEXT NOT NULL,  -- JSON array
  PRIMARY KEY (rollout, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE label_tallies (
  manifest BLOB NOT NULL,
  device TEXT NOT NULL,
  start_wall_ms INTEGER NOT NULL,
  labelled INTEGER NOT NULL,
  correct INTEGER NOT NULL,
  PRIMARY KEY (manifest, device, start_wall_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
  position INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  boot_id INTEGER NOT NULL,
  inference INTEGER NOT NULL,
  model TEXT NOT NULL,
  truth INTEGER NOT NULL,
  matched INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL,
  UNIQUE (device, boot_id, inference)
) STRICT;

CREATE TABLE past_deployments (
  number INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  model TEXT NOT NULL,
  major INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  patch INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  previous BLOB,
  rollout TEXT,
  stage INTEGER NOT NULL,
  cause TEXT NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  attempt_in_rollout INTEGER NOT NULL,
  reason TEXT NOT NULL,
  chunks_have INTEGER NOT NULL,
  chunks_total INTEGER NOT NULL,
  attempted INTEGER NOT NULL,
  granted INTEGER NOT NULL,
  late_confirmed INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  create_wall_ms INTEGER NOT NULL,
  update_wall_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE releases (
  model TEXT NOT NULL,
  major INTEGER NOT NULL,
  minor INTEGER NOT NULL,
  patch INTEGER NOT NULL,
  create_wall_ms INTEGER NOT NULL, delete_wall_ms INTEGER NOT NULL DEFAULT 0, source TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (model, major, minor, patch)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports (
  position INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  boot_id INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL,
  payload BLOB NOT NULL
, cohort TEXT NOT NULL DEFAULT '', placed_wall_ms INTEGER, checked INTEGER NOT NULL DEFAULT 1) STRICT;

CREATE TABLE requests (
  request_id TEXT PRIMARY KEY,
  subject TEXT NOT NULL,
  content BLOB NOT NULL
, sequence INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE TABLE revoked_certificates (
  serial BLOB PRIMARY KEY,
  device TEXT NOT NULL,
  until_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rollout_counts (
  rollout TEXT NOT NULL,
  stage INTEGER NOT NULL,
  rollback INTEGER NOT NULL,
  state TEXT NOT NULL,
  devices INTEGER NOT NULL,
  PRIMARY KEY (rollout, stage, rollback, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollout_orders (
  rollout TEXT PRIMARY KEY,
  devices TEXT NOT NULL,  -- JSON array
  excluded TEXT NOT NULL  -- JSON array
) STRICT;

CREATE TABLE rollout_plans (
  rollout TEXT PRIMARY KEY,
  document TEXT NOT NULL,  -- JSON: the plan as it was sent
  ends TEXT NOT NULL,      -- JSON array
  holdback INTEGER NOT NULL,
  creator TEXT NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rollouts (
  rollout TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  explanation TEXT NOT NULL,
  stages TEXT NOT NULL,  -- JSON array
  end_wall_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL
, end_observed_ms INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0, queued INTEGER NOT NULL DEFAULT 4294967295, cancels INTEGER NOT NULL DEFAULT 0, assigning INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE TABLE roots (
  version INTEGER PRIMARY KEY,
  document BLOB NOT NULL,
  import_wall_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE samples (
  position INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  boot_id INTEGER NOT NULL,
  inference INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  cohort TEXT NOT NULL,
  predicted INTEGER NOT NULL,
  confidence INTEGER NOT NULL,
  probability INTEGER NOT NULL,
  at_wall_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL DEFAULT 0,
  UNIQUE (device, boot_id, inference)
) STRICT;

CREATE TABLE site (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  site_epoch INTEGER NOT NULL,
  observed_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  deployment_number INTEGER NOT NULL,
  event_sequence INTEGER NOT NULL,
  audit_sequence INTEGER NOT NULL,
  reconciling INTEGER NOT NULL
, report_sequence INTEGER NOT NULL DEFAULT 0, reports_settled INTEGER NOT NULL DEFAULT 0, audit_hash BLOB NOT NULL
  DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000', claim_number INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE site_secrets (
  number INTEGER PRIMARY KEY,
  sealed BLOB NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE streams (
  device TEXT NOT NULL,
  boot_id INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  first_report INTEGER NOT NULL,
  cumulative INTEGER NOT NULL,
  bitmap INTEGER NOT NULL,
  gaps TEXT NOT NULL,  -- JSON array
  lost_windows INTEGER NOT NULL,
  quarantined_windows INTEGER NOT NULL,
  received_windows INTEGER NOT NULL,
  counted_inferences INTEGER NOT NULL,
  reached_inferences INTEGER NOT NULL,
  PRIMARY KEY (device, boot_id, manifest)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  name TEXT PRIMARY KEY,
  hash BLOB NOT NULL,
  role TEXT NOT NULL,
  models TEXT NOT NULL,
  creator TEXT NOT NULL,
  create_wall_ms INTEGER NOT NULL,
  expire_wall_ms INTEGER NOT NULL,
  use_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE totals (
  device TEXT NOT NULL,
  manifest BLOB NOT NULL,
  cohort TEXT NOT NULL,
  inferences INTEGER NOT NULL,
  windows INTEGER NOT NULL,
  windows_lost INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  quarantined INTEGER NOT NULL, energy_inferences INTEGER NOT NULL DEFAULT 0, energy_sum_uj INTEGER NOT NULL DEFAULT 0, rejects INTEGER NOT NULL DEFAULT 0, drops INTEGER NOT NULL DEFAULT 0, saturated INTEGER NOT NULL DEFAULT 0, watchdog_resets INTEGER NOT NULL DEFAULT 0, heap_free_min_bytes INTEGER NOT NULL DEFAULT 0, arena_used_max_bytes INTEGER NOT NULL DEFAULT 0, stack_used_max_bytes INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (device, manifest, cohort)
) STRICT, WITHOUT ROWID;

CREATE TABLE trusted_keys (
  key_id TEXT PRIMARY KEY,
  algorithm TEXT NOT NULL,
  pem TEXT NOT NULL,
  comment TEXT NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE windows (
  manifest BLOB NOT NULL,
  window_index INTEGER NOT NULL,
  length_ms INTEGER NOT NULL,
  cohort TEXT NOT NULL,
  device TEXT NOT NULL,  -- '': the cohort's sum
  start_wall_ms INTEGER NOT NULL,
  devices INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  revised INTEGER NOT NULL,
  counts BLOB NOT NULL, verdict TEXT NOT NULL DEFAULT '[]',  -- monitoring/window.hpp, encode()
  PRIMARY KEY (manifest, window_index, length_ms, cohort, device)
) STRICT;

CREATE INDEX alerts_by_resolved ON alerts (resolved_wall_ms);

CREATE INDEX deployments_by_rollout ON deployments (rollout, number);

CREATE INDEX events_by_rollout ON events (rollout, sequence);

CREATE INDEX label_tallies_by_start ON label_tallies (start_wall_ms);

CREATE INDEX labels_by_wall ON labels (wall_ms);

CREATE INDEX labels_waiting ON labels (matched) WHERE matched = 0;

CREATE INDEX past_deployments_by_rollout ON past_deployments (rollout, number);

CREATE INDEX samples_by_wall ON samples (wall_ms);

CREATE INDEX windows_by_device ON windows (device, manifest, start_wall_ms);

CREATE INDEX windows_by_start ON windows (start_wall_ms);
