-- SPDX-License-Identifier: Apache-2.0
-- Who else asked under a device's id.
ALTER TABLE devices ADD COLUMN enroll_changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN enroll_changed_wall_ms INTEGER NOT NULL DEFAULT 0;
