-- SPDX-License-Identifier: Apache-2.0
-- Ways in: claims of batches of devices, authorities of manufacturers, devices that are registered
-- before they come; and who took a device's place.
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
CREATE TABLE claim_ids (
  name TEXT PRIMARY KEY,
  ids TEXT NOT NULL  -- JSON array
) STRICT, WITHOUT ROWID;
CREATE TABLE device_authorities (
  name TEXT PRIMARY KEY,
  certificate BLOB NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE devices ADD COLUMN claim TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN authority TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN registered_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN registered_certificate BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN successor TEXT NOT NULL DEFAULT '';
ALTER TABLE site ADD COLUMN claim_number INTEGER NOT NULL DEFAULT 0;
