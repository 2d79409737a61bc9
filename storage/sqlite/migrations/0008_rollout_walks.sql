-- SPDX-License-Identifier: Apache-2.0
-- What a rollout does to many devices is done bit by bit: how far it has come. A stage that is
-- there has queued all of its devices at once.
ALTER TABLE rollouts ADD COLUMN queued INTEGER NOT NULL DEFAULT 4294967295;
ALTER TABLE rollouts ADD COLUMN cancels INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollouts ADD COLUMN assigning INTEGER NOT NULL DEFAULT 0;
