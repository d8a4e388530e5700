-- The key of short life that a body is sealed under (src/secret/keyring.rs); NULL: it is from before there were any.
ALTER TABLE items ADD COLUMN key INTEGER;
CREATE INDEX items_key ON items (key) WHERE key IS NOT NULL;
