-- Which data folder this is. The same id is beside the blobs, and `key_check` can only be made with master.key and the id.
-- `alive`: when a gateway was last at work on it. `lost`: how many of the blobs that rows name an administrator has given up.
CREATE TABLE folder (
    number    INTEGER PRIMARY KEY CHECK (number = 1),
    id        TEXT    NOT NULL,
    key_check BLOB    NOT NULL,
    alive     INTEGER,
    lost      INTEGER NOT NULL DEFAULT 0
) STRICT;
