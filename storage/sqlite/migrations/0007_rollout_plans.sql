-- SPDX-License-Identifier: Apache-2.0
-- What is decided at a rollout's creation, apart from what changes. Order and exclusions stay in
-- rollout_orders: a start reads them of rollouts that may still need them.
CREATE TABLE rollout_plans (
  rollout TEXT PRIMARY KEY,
  document TEXT NOT NULL,  -- JSON: the plan as it was sent
  ends TEXT NOT NULL,      -- JSON array
  holdback INTEGER NOT NULL,
  creator TEXT NOT NULL,
  create_wall_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO rollout_plans
  SELECT rollout, document, ends, holdback, creator, create_wall_ms FROM rollouts;
ALTER TABLE rollouts DROP COLUMN document;
ALTER TABLE rollouts DROP COLUMN ends;
ALTER TABLE rollouts DROP COLUMN holdback;
ALTER TABLE rollouts DROP COLUMN creator;
ALTER TABLE rollouts DROP COLUMN now;
ALTER TABLE rollouts DROP COLUMN create_wall_ms;
