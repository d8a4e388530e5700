-- The hash chain over the audit trail: see src/audit/chain.rs. A node of the release before writes rows as it did; only what
-- it forgets of old rows is missed by the chain until all nodes are upgraded.
CREATE TABLE audit_chain (
    block   BIGINT PRIMARY KEY,
    made    BIGINT NOT NULL,
    kind    BIGINT NOT NULL,
    newest  BIGINT NOT NULL,
    content BYTEA  NOT NULL,
    salts   BYTEA  NOT NULL,
    gaps    BYTEA  NOT NULL,
    reach   BIGINT NOT NULL,
    hash    BYTEA  NOT NULL
);
CREATE INDEX audit_chain_reach ON audit_chain (reach, block);
CREATE INDEX audit_chain_notes ON audit_chain (block) WHERE kind <> 0;
