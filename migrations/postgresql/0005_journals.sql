-- Mail of a node's own journal (store.journal = "local") that became rows here, until the journal has forgotten it: it becomes
-- one no second time, though the node died meanwhile, or never heard that it was done, and another has delivered it.
CREATE TABLE journal_moved (
    item    TEXT PRIMARY KEY,
    journal TEXT NOT NULL                        -- the id of the journal
);
CREATE INDEX journal_moved_journal ON journal_moved (journal);
