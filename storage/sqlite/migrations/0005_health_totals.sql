-- SPDX-License-Identifier: Apache-2.0
-- Energy and health in totals; what came before was not kept there. Sizes: 0 where nobody said.
ALTER TABLE totals ADD COLUMN energy_inferences INTEGER NOT NULL DEFAULT 0;  -- that were measured
ALTER TABLE totals ADD COLUMN energy_sum_uj INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN rejects INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN drops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN saturated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN watchdog_resets INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN heap_free_min_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN arena_used_max_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN stack_used_max_bytes INTEGER NOT NULL DEFAULT 0;
