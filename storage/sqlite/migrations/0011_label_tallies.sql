-- SPDX-License-Identifier: Apache-2.0
-- What is left of samples and labels when those have gone: counts by the start of a window of the
-- wall, which means the same whatever length windows have later.
CREATE TABLE label_tallies (
  manifest BLOB NOT NULL,
  device TEXT NOT NULL,
  start_wall_ms INTEGER NOT NULL,
  labelled INTEGER NOT NULL,
  correct INTEGER NOT NULL,
  PRIMARY KEY (manifest, device, start_wall_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO label_tallies
  SELECT s.manifest, s.device, s.start_wall_ms, count(*), sum(s.predicted = l.truth)
  FROM samples AS s JOIN labels AS l
    ON s.device = l.device AND s.boot_id = l.boot_id AND s.inference = l.inference
  GROUP BY s.manifest, s.device, s.start_wall_ms;
UPDATE labels SET matched = EXISTS (
  SELECT 1 FROM samples AS s WHERE s.device = labels.device AND s.boot_id = labels.boot_id
    AND s.inference = labels.inference);
-- A sample says when it was made and when it came: retention goes by the gateway's clock.
DROP INDEX samples_by_start;
ALTER TABLE samples DROP COLUMN window_index;
ALTER TABLE samples RENAME COLUMN start_wall_ms TO at_wall_ms;
ALTER TABLE samples ADD COLUMN wall_ms INTEGER NOT NULL DEFAULT 0;
UPDATE samples SET wall_ms = at_wall_ms;
CREATE INDEX samples_by_wall ON samples (wall_ms);
CREATE INDEX labels_waiting ON labels (matched) WHERE matched = 0;
CREATE INDEX label_tallies_by_start ON label_tallies (start_wall_ms);
CREATE INDEX alerts_by_resolved ON alerts (resolved_wall_ms);
