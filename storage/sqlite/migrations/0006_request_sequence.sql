-- SPDX-License-Identifier: Apache-2.0
-- Which request is older; those that are there by their rollouts.
ALTER TABLE requests ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
UPDATE requests SET sequence = numbered.sequence
  FROM (SELECT request_id,
               row_number() OVER (ORDER BY coalesce(create_wall_ms, 0), request_id) AS sequence
        FROM requests LEFT JOIN rollouts ON rollout = subject) AS numbered
  WHERE requests.request_id = numbered.request_id;
