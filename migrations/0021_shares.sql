-- Whose an event and a mail that is looked for are. NULL: from before there could be several organisations, or nobody's.
ALTER TABLE audit ADD COLUMN organisation TEXT;
ALTER TABLE tracking ADD COLUMN organisation TEXT;

-- The organisations have their turns: of each its items by when they are due. It takes the place of the index of all.
CREATE INDEX items_turn ON items (coalesce(organisation, ''), due);
DROP INDEX items_due;
