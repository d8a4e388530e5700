//! Which blobs are still wanted. Rows go first, in a commit; the bytes follow when the sweeper asks
//! here what is to be removed.

use rusqlite::Connection;

use super::columns::limit;
use super::writer::Change;
use crate::id::BlobName;
use crate::store::Result;

pub(super) const DOOMED: &str = "SELECT blob FROM doomed LIMIT ?1";
pub(super) const FORGET: &str = "DELETE FROM doomed WHERE blob = ?1";
pub(super) const KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM parts WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM items WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM pieces WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM doomed WHERE blob = ?1)";

/// Gives a blob up.
pub(super) fn doom(db: &Connection, blob: &BlobName) -> Result<()> {
    db.prepare_cached("INSERT INTO doomed (blob) VALUES (?1)")?.execute([blob])?;
    Ok(())
}

/// Blobs that are given up.
pub(super) fn doomed(db: &Connection, most: usize) -> Result<Vec<BlobName>> {
    let mut doomed = db.prepare_cached(DOOMED)?;
    let rows = doomed.query_map([limit(most)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// These are removed.
pub(super) fn forget(change: &mut Change<'_>, names: &[BlobName]) -> Result<()> {
    let mut forget = change.db.prepare_cached(FORGET)?;
    for name in names {
        forget.execute([name])?;
    }
    Ok(())
}

/// Those of `names` that no row knows.
pub(super) fn orphans(db: &Connection, names: Vec<BlobName>) -> Result<Vec<BlobName>> {
    let mut known = db.prepare_cached(KNOWN)?;
    let mut orphans = Vec::new();
    for name in names {
        if !known.query_row([&name], |row| row.get(0))? {
            orphans.push(name);
        }
    }
    Ok(orphans)
}
