-- What the sender may know of a transfer: who was told of it, who opened it, who fetched what; and what is needed to act on it.

ALTER TABLE transfers ADD COLUMN files INTEGER NOT NULL DEFAULT 0;      -- parts 1 to this are files; later ones the message
ALTER TABLE transfers ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;  -- a machine sent it: nothing is ever mailed back

ALTER TABLE transfer_recipients ADD COLUMN notified INTEGER;            -- when the next hop last took a notification
ALTER TABLE transfer_recipients ADD COLUMN bounced INTEGER;             -- since then closed, because none arrives
ALTER TABLE transfer_recipients ADD COLUMN bounce_reason TEXT;

CREATE TABLE downloads (
    transfer  INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    count     INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (transfer, recipient, part),
    FOREIGN KEY (transfer, recipient) REFERENCES transfer_recipients (transfer, number)
) STRICT, WITHOUT ROWID;

-- Mail about one link, to drop it at a recall.
CREATE INDEX items_link ON items (transfer, recipient) WHERE transfer IS NOT NULL;
-- The audit trail of one transfer. What most mail leaves behind names no transfer, and pays nothing for it.
CREATE INDEX audit_object ON audit (object) WHERE action <> 'accept' AND action <> 'relay';
