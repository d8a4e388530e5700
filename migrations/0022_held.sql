-- What an administrator decided on an item of the queue instead of its delivery (src/store/by_hand.rs), as JSON; NULL: nothing.
-- What is held is 'frozen' as well, so that whatever leaves frozen mail alone leaves it alone too.
ALTER TABLE items ADD COLUMN hold TEXT;
ALTER TABLE items ADD COLUMN bounce TEXT;
ALTER TABLE items ADD COLUMN held_for INTEGER NOT NULL DEFAULT 0;   -- microseconds: no part of its age
CREATE INDEX items_hold ON items (hold) WHERE hold IS NOT NULL;
