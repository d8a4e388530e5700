-- What happens to a transfer by itself: reminders, notices of downloads, and the end of what is known of it.

ALTER TABLE transfers ADD COLUMN language TEXT;                             -- of mails to its recipients; NULL: the default
ALTER TABLE transfers ADD COLUMN download_notice INTEGER NOT NULL DEFAULT 0;  -- the sender hears of downloads
ALTER TABLE transfers ADD COLUMN file_names INTEGER NOT NULL DEFAULT 0;     -- and of which files
ALTER TABLE transfers ADD COLUMN first_reminder INTEGER;                    -- due then; NULL: done, or there is none
ALTER TABLE transfers ADD COLUMN announced INTEGER;                         -- the date whose last days were announced
ALTER TABLE transfers ADD COLUMN reminded INTEGER;                          -- when reminders last went out
CREATE INDEX transfers_first_reminder ON transfers (first_reminder) WHERE first_reminder IS NOT NULL AND shredded IS NULL;
CREATE INDEX transfers_shredded ON transfers (shredded) WHERE shredded IS NOT NULL;

ALTER TABLE transfer_recipients ADD COLUMN download_noticed INTEGER;        -- when the sender last heard of downloads
ALTER TABLE transfer_recipients ADD COLUMN download_pending INTEGER NOT NULL DEFAULT 0;  -- there were more since
CREATE INDEX transfer_recipients_pending ON transfer_recipients (download_noticed) WHERE download_pending = 1;

CREATE INDEX threads_created ON threads (created);

-- The turns of the timer: see src/store/retention.rs.
CREATE TABLE turns (
    number  INTEGER PRIMARY KEY CHECK (number = 1),
    trusted INTEGER NOT NULL,
    doubted INTEGER,
    seen    INTEGER
) STRICT;
