-- The hash chain over the audit trail: see src/audit/chain.rs.
CREATE TABLE audit_chain (
    block   INTEGER PRIMARY KEY,
    made    INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    newest  INTEGER NOT NULL,
    content BLOB    NOT NULL,
    salts   BLOB    NOT NULL,
    gaps    BLOB    NOT NULL,
    reach   INTEGER NOT NULL,
    hash    BLOB    NOT NULL
) STRICT;
CREATE INDEX audit_chain_reach ON audit_chain (reach, block);
CREATE INDEX audit_chain_notes ON audit_chain (block) WHERE kind <> 0;
