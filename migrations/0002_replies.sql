-- Answers: drafts, uploads, verification codes, browsers that are remembered, and what was sent.
-- `browser` is the SHA-256 of the browser's secret. What is called sealed here is AES-256-GCM under a key that
-- is stored nowhere (src/reply/vault.rs): nothing that was typed or uploaded can be read in this database.

CREATE TABLE drafts (
    number    INTEGER PRIMARY KEY,
    transfer  INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    browser   BLOB    NOT NULL,
    typed     BLOB,                              -- sealed; NULL: only files so far
    revision  INTEGER NOT NULL DEFAULT 1,        -- counts every change: what was read is what is sent
    used      INTEGER NOT NULL,                  -- the last change
    UNIQUE (transfer, recipient, browser),
    FOREIGN KEY (transfer, recipient) REFERENCES transfer_recipients (transfer, number)
) STRICT;
CREATE INDEX drafts_used ON drafts (used);

CREATE TABLE uploads (
    number INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    draft  INTEGER NOT NULL REFERENCES drafts (number) ON DELETE CASCADE,
    facts  BLOB    NOT NULL,                     -- sealed: name and media type
    length INTEGER,                              -- NULL: not known yet
    offset INTEGER NOT NULL DEFAULT 0            -- the sum of its pieces
) STRICT;
CREATE INDEX uploads_draft ON uploads (draft);

CREATE TABLE pieces (
    upload INTEGER NOT NULL REFERENCES uploads (number) ON DELETE CASCADE,
    number INTEGER NOT NULL,                     -- from 0
    blob   TEXT    NOT NULL UNIQUE,
    size   INTEGER NOT NULL,                     -- before sealing
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- Verification codes (C23). A new code takes the place of the old one and keeps its tries.
CREATE TABLE codes (
    transfer  INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    browser   BLOB    NOT NULL,
    facts     BLOB    NOT NULL,                  -- sealed: whom it verifies
    hash      BLOB,                              -- keyed; NULL: used, or tried too often
    expires   INTEGER NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,
    since     INTEGER NOT NULL,                  -- when the tries began to count
    PRIMARY KEY (transfer, recipient, browser),
    FOREIGN KEY (transfer, recipient) REFERENCES transfer_recipients (transfer, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_since ON codes (since);

-- Mails with a code within the last hour (H18): how many, not what.
CREATE TABLE code_mails (
    number  INTEGER PRIMARY KEY,
    time    INTEGER NOT NULL,
    address BLOB    NOT NULL,                    -- keyed hash
    client  TEXT    NOT NULL
) STRICT;
CREATE INDEX code_mails_time ON code_mails (time);

CREATE TABLE browsers (
    browser BLOB    PRIMARY KEY,
    facts   BLOB    NOT NULL,                    -- sealed: whose it is
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX browsers_until ON browsers (until);

-- Answers within the last day: for the summary, and to count them (H18).
CREATE TABLE replies (
    number    INTEGER PRIMARY KEY,
    transfer  INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    browser   BLOB    NOT NULL,
    time      INTEGER NOT NULL,
    summary   BLOB    NOT NULL,                  -- sealed
    FOREIGN KEY (transfer, recipient) REFERENCES transfer_recipients (transfer, number)
) STRICT;
CREATE INDEX replies_link ON replies (transfer, recipient, browser);
CREATE INDEX replies_time ON replies (time);

-- Whichever way a piece goes, its blob is given up.
CREATE TRIGGER pieces_doomed AFTER DELETE ON pieces BEGIN
    INSERT INTO doomed (blob) VALUES (OLD.blob);
END;

-- Whichever way a link closes, what was being written behind it goes in the same commit (C25).
CREATE TRIGGER drafts_closed AFTER UPDATE OF key_packet ON transfer_recipients WHEN NEW.key_packet IS NULL BEGIN
    DELETE FROM drafts WHERE transfer = NEW.transfer AND recipient = NEW.number;
    DELETE FROM codes WHERE transfer = NEW.transfer AND recipient = NEW.number;
    DELETE FROM replies WHERE transfer = NEW.transfer AND recipient = NEW.number;
END;
