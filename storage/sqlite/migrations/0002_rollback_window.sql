-- SPDX-License-Identifier: Apache-2.0
-- Observed time at the end of a rollout: how long it can still be rolled back is counted from it.
ALTER TABLE rollouts ADD COLUMN end_observed_ms INTEGER NOT NULL DEFAULT 0;
