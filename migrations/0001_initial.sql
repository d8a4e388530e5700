-- Times are microseconds since 1970 UTC. Identifiers are texts as src/id.rs writes them.
-- No name, subject or file name of a mail is kept here, and no secret that opens anything by itself.

-- The queue. Rows stay small, so that claiming one costs little: bodies are apart.
CREATE TABLE items (
    number       INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL,
    reverse_path TEXT,                           -- NULL: the null reverse path
    parameters   TEXT,                           -- of MAIL, as JSON; NULL: none
    transfer     TEXT,                           -- the link that it notifies of
    recipient    INTEGER,
    blob         TEXT,                           -- where the body is, unless it is in `bodies`
    created      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_attempt INTEGER NOT NULL,
    claimed      INTEGER NOT NULL DEFAULT 0,
    due          INTEGER NOT NULL                -- next_attempt, or while claimed the end of the claim
) STRICT;
CREATE INDEX items_due ON items (due);
CREATE UNIQUE INDEX items_blob ON items (blob) WHERE blob IS NOT NULL;

CREATE TABLE bodies (
    item INTEGER PRIMARY KEY REFERENCES items (number) ON DELETE CASCADE,
    body BLOB    NOT NULL
) STRICT;

CREATE TABLE item_recipients (
    item       INTEGER NOT NULL REFERENCES items (number) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    address    TEXT    NOT NULL,
    parameters TEXT,                             -- of RCPT, as JSON; NULL: none
    state      TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    answer     TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (item, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE transfers (
    number   INTEGER PRIMARY KEY,
    id       TEXT    NOT NULL UNIQUE,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    sender   TEXT,
    password INTEGER NOT NULL,
    shredded INTEGER                             -- when the keys were destroyed; NULL: they exist
) STRICT;
CREATE INDEX transfers_expires ON transfers (expires) WHERE shredded IS NULL;

CREATE TABLE transfer_recipients (
    transfer     INTEGER NOT NULL REFERENCES transfers (number),
    number       INTEGER NOT NULL,
    address      TEXT    NOT NULL,
    key_packet   BLOB,                           -- NULL: destroyed
    tries        INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER,
    opened       INTEGER,
    recalled     INTEGER,
    PRIMARY KEY (transfer, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX transfer_recipients_locked ON transfer_recipients (locked_until) WHERE locked_until IS NOT NULL;

CREATE TABLE parts (
    transfer INTEGER NOT NULL REFERENCES transfers (number),
    number   INTEGER NOT NULL,
    blob     TEXT    NOT NULL UNIQUE,
    size     INTEGER NOT NULL,
    PRIMARY KEY (transfer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id          BLOB    PRIMARY KEY,
    transfer    INTEGER NOT NULL,
    recipient   INTEGER NOT NULL,
    wrapped_key BLOB    NOT NULL,
    used        INTEGER NOT NULL,
    FOREIGN KEY (transfer, recipient) REFERENCES transfer_recipients (transfer, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_link ON sessions (transfer, recipient);
CREATE INDEX sessions_used ON sessions (used);

-- Hashes of the Message-IDs of sealed threads. They outlive the transfers: an answer may come late.
CREATE TABLE threads (
    hash    BLOB    PRIMARY KEY,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Blobs that no row uses any more and that are still to be removed from the blob store.
CREATE TABLE doomed (
    blob TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Rate limits; `arrival` is the theoretical arrival time of src/limits.rs.
CREATE TABLE limits (
    bucket  TEXT    PRIMARY KEY,
    arrival INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX limits_arrival ON limits (arrival);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    time   INTEGER NOT NULL,
    action TEXT    NOT NULL,
    object TEXT    NOT NULL,
    result TEXT    NOT NULL,
    actor  TEXT    NOT NULL,
    origin TEXT    NOT NULL
) STRICT;
