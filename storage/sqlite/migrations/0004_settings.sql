-- SPDX-License-Identifier: Apache-2.0
-- What the newest goal of a device says about its settings; 0: as the firmware says.
ALTER TABLE devices ADD COLUMN report_interval_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN sample_scale INTEGER NOT NULL DEFAULT 0;
