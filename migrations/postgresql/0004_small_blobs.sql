-- Small blobs, which an object store would take as long for as for large ones (src/store/postgresql/small_blobs.rs). Sealed, as
-- all blobs are: what opens them is elsewhere.
CREATE TABLE small_blobs (
    blob    TEXT   COLLATE "C" PRIMARY KEY,
    written BIGINT NOT NULL,
    content BYTEA  NOT NULL
);
-- It is random bytes: to compress them is in vain.
ALTER TABLE small_blobs ALTER COLUMN content SET STORAGE EXTERNAL;
