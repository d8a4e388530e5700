-- When another master key became the current one, for each rotation (JSON; NULL: never); and which one the links of a transfer are
-- made with. 1 is the first of an installation (src/secret/masters.rs).
ALTER TABLE folder ADD COLUMN rotations TEXT;
ALTER TABLE transfers ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
