-- SPDX-License-Identifier: Apache-2.0
-- Where a release was made, as its author says: a commit, a pipeline.
ALTER TABLE releases ADD COLUMN source TEXT NOT NULL DEFAULT '';
