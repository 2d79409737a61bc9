-- SPDX-License-Identifier: Apache-2.0
-- Documents that name who may sign, each version.
CREATE TABLE roots (
  version INTEGER PRIMARY KEY,
  document BLOB NOT NULL,
  import_wall_ms INTEGER NOT NULL
) STRICT;
