-- Who has claimed an item, and how often it was claimed: the end of an attempt counts only under the claim that it was made with.
-- NULL: claimed before there were owners.
ALTER TABLE items ADD COLUMN owner TEXT;
ALTER TABLE items ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
