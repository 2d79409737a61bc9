-- SPDX-License-Identifier: Apache-2.0
-- What the statistics said of a window when it closed, in the rows of its cohorts: what people are
-- shown is what made the alert.
ALTER TABLE windows ADD COLUMN verdict TEXT NOT NULL DEFAULT '[]';  -- subjects, as JSON
