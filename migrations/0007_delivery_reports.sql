-- What mail servers reported of the notifications of a link: the last of each kind, so at most ten rows for a link.
CREATE TABLE delivery_reports (
    transfer  INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    own       INTEGER NOT NULL,                  -- it names the link's own address, not one that a copy went on to
    action    TEXT    NOT NULL,                  -- as RFC 3464 2.3.3 has it
    time      INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    count     INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (transfer, recipient, own, action),
    FOREIGN KEY (transfer, recipient) REFERENCES transfer_recipients (transfer, number)
) STRICT, WITHOUT ROWID;
