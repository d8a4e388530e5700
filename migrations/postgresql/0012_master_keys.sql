-- When another master key became the current one, for each rotation (JSON; NULL: never); which one the links of a transfer are made
-- with; and which ones a node has, by name, the one first that it works with. 1 is the first of an installation
-- (src/secret/masters.rs). A node of the release before goes on with that one, and as long as there is such a node no other
-- becomes the current one.
ALTER TABLE folder ADD COLUMN rotations TEXT;
ALTER TABLE transfers ADD COLUMN generation BIGINT NOT NULL DEFAULT 1;
ALTER TABLE nodes ADD COLUMN master_keys TEXT;
