-- What each open session was given, so that a download is one however many requests it takes. Goes with the session.
CREATE TABLE session_downloads (
    session BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    what    TEXT    NOT NULL,                    -- a part's number, or a word of ours
    last    INTEGER NOT NULL,
    whole   INTEGER NOT NULL,
    PRIMARY KEY (session, what)
) STRICT, WITHOUT ROWID;

-- Whether all of the part was asked for at once. Part 0 is the message on screen.
ALTER TABLE downloads ADD COLUMN whole INTEGER NOT NULL DEFAULT 1;
