-- SPDX-License-Identifier: Apache-2.0
-- Releases that operators have deleted: their images have gone, what names them stays readable.
ALTER TABLE releases ADD COLUMN delete_wall_ms INTEGER NOT NULL DEFAULT 0;
