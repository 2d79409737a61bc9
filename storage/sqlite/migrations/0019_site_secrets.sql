-- SPDX-License-Identifier: Apache-2.0
-- Secrets of a site by number, sealed by the gateway; and of which one a device has its keys.
CREATE TABLE site_secrets (
  number INTEGER PRIMARY KEY,
  sealed BLOB NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT;
-- In clear: the gateway seals it when it starts.
INSERT INTO site_secrets SELECT 1, secret, 0 FROM site;
ALTER TABLE site DROP COLUMN secret;
ALTER TABLE devices ADD COLUMN secret_number INTEGER NOT NULL DEFAULT 1;
