-- What an administrator decided on an item of the queue instead of its delivery (src/store/by_hand.rs), as JSON; NULL: nothing.
-- What is held is 'frozen' as well: so a node that knows one step less leaves it alone. It does not when it delivers just now
-- what is being held, and fails; a node that knows this step gives that back.
ALTER TABLE items ADD COLUMN hold TEXT;
ALTER TABLE items ADD COLUMN bounce TEXT;
ALTER TABLE items ADD COLUMN held_for BIGINT NOT NULL DEFAULT 0;    -- microseconds: no part of its age
CREATE INDEX items_hold ON items (hold) WHERE hold IS NOT NULL;
