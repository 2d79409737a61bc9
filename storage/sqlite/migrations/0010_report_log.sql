-- SPDX-License-Identifier: Apache-2.0
-- A report's row says what a start needs to count it again; what came before is counted.
ALTER TABLE reports ADD COLUMN cohort TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN placed_wall_ms INTEGER;
ALTER TABLE reports ADD COLUMN checked INTEGER NOT NULL DEFAULT 1;
ALTER TABLE site ADD COLUMN report_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE site ADD COLUMN reports_settled INTEGER NOT NULL DEFAULT 0;
-- streams.first_report is a position from now on: above every number that was given.
UPDATE site SET report_sequence =
  max(coalesce((SELECT max(position) FROM reports), 0),
      coalesce((SELECT max(first_report) FROM streams), 0));
UPDATE site SET reports_settled = report_sequence;
-- The log is in the order of arrival: the old ones are at its beginning.
DROP INDEX reports_by_wall;
