-- SPDX-License-Identifier: Apache-2.0
-- Devices with a key of their own, what they got a certificate for, and what was taken back.
ALTER TABLE devices ADD COLUMN own_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN wants_certificate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN certificate_serial BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN certificate_from_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN certificate_until_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN certificate_before BLOB NOT NULL DEFAULT x'';
ALTER TABLE devices ADD COLUMN certificate_before_until_ms INTEGER NOT NULL DEFAULT 0;
CREATE TABLE revoked_certificates (
  serial BLOB PRIMARY KEY,
  device TEXT NOT NULL,
  until_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
