-- Whose an event and a mail that is looked for are. NULL: from before there could be several organisations, nobody's, or written
-- by a node that knows one step less; what such a node puts into the hash chain is bound there without this column.
ALTER TABLE audit ADD COLUMN organisation TEXT;
ALTER TABLE tracking ADD COLUMN organisation TEXT;

-- The organisations have their turns: of each its items by when they are due. The index of all is for nodes that know one step
-- less, and for when the next item is due.
CREATE INDEX items_turn ON items (coalesce(organisation, ''), due);
