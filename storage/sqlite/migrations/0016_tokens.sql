-- SPDX-License-Identifier: Apache-2.0
-- Tokens of people and pipelines, by the digest of what they were shown.
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
