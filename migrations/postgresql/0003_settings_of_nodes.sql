-- What each node goes by, so that nodes which differ are noticed: a keyed digest of each section of its configuration that all
-- must have alike, as JSON (src/settings/digests.rs). NULL: a node of an older release.
ALTER TABLE nodes ADD COLUMN settings TEXT;
