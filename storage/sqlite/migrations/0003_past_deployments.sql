-- SPDX-License-Identifier: Apache-2.0
-- What a start needs of deployments stays in their table; the rest is history, read by page.
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
CREATE INDEX deployments_by_rollout ON deployments (rollout, number);
CREATE INDEX past_deployments_by_rollout ON past_deployments (rollout, number);

-- Newest attempts of a rollout's devices, by stage and state; rollback: of those sent back.
CREATE TABLE rollout_counts (
  rollout TEXT NOT NULL,
  stage INTEGER NOT NULL,
  rollback INTEGER NOT NULL,
  state TEXT NOT NULL,
  devices INTEGER NOT NULL,
  PRIMARY KEY (rollout, stage, rollback, state)
) STRICT, WITHOUT ROWID;
INSERT INTO rollout_counts
  SELECT rollout, stage, cause = 'ROLLBACK', state, count(*)
  FROM deployments
  WHERE number IN (SELECT max(number) FROM deployments WHERE rollout IS NOT NULL
                   GROUP BY rollout, device, cause = 'ROLLBACK')
  GROUP BY rollout, stage, cause = 'ROLLBACK', state;

-- It can't be rolled back any more: its ended deployments may become history.
ALTER TABLE rollouts ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
