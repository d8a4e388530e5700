-- Where mail is, and where it went (src/store/tracking.rs). Addresses are in the form in which all spellings of a mailbox are the
-- same. Ordinary mail gets its rows when it has been delivered, many in one commit.

-- What a mail in the queue is found by, as JSON; NULL: it is from before there was such a thing.
ALTER TABLE items ADD COLUMN track TEXT;

-- The message that a transfer was sealed from.
ALTER TABLE transfers ADD COLUMN tracking TEXT;

CREATE TABLE tracking (
    number           INTEGER PRIMARY KEY,
    tracking         TEXT    NOT NULL,           -- the message that the mail comes of
    item             TEXT,                       -- NULL: there never was one, for it was sealed or refused
    recipient_number INTEGER NOT NULL,
    time             INTEGER NOT NULL,           -- when it was accepted
    kind             TEXT    NOT NULL,
    sender           TEXT    NOT NULL,           -- '': the null reverse path
    sender_domain    TEXT    NOT NULL,
    recipient        TEXT    NOT NULL,
    recipient_domain TEXT    NOT NULL,
    message_id       TEXT,
    size             INTEGER NOT NULL,
    client           TEXT,
    rule             TEXT,
    transfer         TEXT,
    link             INTEGER,
    state            TEXT    NOT NULL
        CHECK (state IN ('waiting', 'frozen', 'delivered', 'failed', 'removed', 'sealed', 'refused')),
    attempts         INTEGER NOT NULL,
    changed          INTEGER NOT NULL,
    next_hop         TEXT,
    tls              TEXT,
    answer           TEXT
) STRICT;
CREATE UNIQUE INDEX tracking_tracking ON tracking (tracking, item, recipient_number);
CREATE INDEX tracking_item ON tracking (item) WHERE item <> tracking;
CREATE INDEX tracking_recipient ON tracking (recipient, time);
CREATE INDEX tracking_recipient_domain ON tracking (recipient_domain, time);
CREATE INDEX tracking_sender ON tracking (sender, time);
CREATE INDEX tracking_sender_domain ON tracking (sender_domain, time);
CREATE INDEX tracking_message_id ON tracking (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX tracking_transfer ON tracking (transfer) WHERE transfer IS NOT NULL;
CREATE INDEX tracking_time ON tracking (time);
