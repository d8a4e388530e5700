-- Why an item waits for an administrator; NULL: it does not. 'frozen' is never due by itself (src/store/sqlite/queue.rs).
ALTER TABLE items ADD COLUMN problem TEXT CHECK (problem IN ('refused', 'tls', 'frozen'));
CREATE INDEX items_problem ON items (problem) WHERE problem IS NOT NULL;
