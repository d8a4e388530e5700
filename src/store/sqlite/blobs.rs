//! Which blobs are still wanted. Rows go first, in a commit; the bytes follow when the sweeper asks
//! here what is to be removed.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::columns::{Octets, limit};
use super::writer::Change;
use super::{Sqlite, folder};
use crate::clock::Timestamp;
use crate::id::{BlobName, FolderId};
use crate::store::{BlobContent, BlobIndex, NamedBlob, Result};

#[async_trait]
impl BlobIndex for Sqlite {
    async fn named_blobs(&self, after: Option<BlobName>, limit: usize) -> Result<Vec<NamedBlob>> {
        self.readers.read(move |db| named(db, after.as_ref(), limit)).await
    }

    async fn unreferenced_blobs(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>> {
        self.readers.read(move |db| orphans(db, names)).await
    }

    async fn others_at_work(&self, owner: &FolderId, since: Timestamp) -> Result<bool> {
        let owner = owner.clone();
        self.readers.read(move |db| folder::others_at_work(db, &owner, since)).await
    }

    async fn pending_deletion(&self, limit: usize) -> Result<Vec<BlobName>> {
        self.readers.read(move |db| doomed(db, limit)).await
    }

    async fn forget_blobs(&self, names: Vec<BlobName>) -> Result<()> {
        self.write(move |change| forget(change, &names)).await
    }
}

pub(super) const DOOMED: &str = "SELECT blob FROM doomed LIMIT ?1";
pub(super) const FORGET: &str = "DELETE FROM doomed WHERE blob = ?1";
pub(super) const KNOWN: &str = "
    SELECT EXISTS (SELECT 1 FROM parts WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM items WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM pieces WHERE blob = ?1)
        OR EXISTS (SELECT 1 FROM doomed WHERE blob = ?1)";

/// Everything that names a blob, but for what is given up; each part comes out of an index in the order of the names.
pub(super) const NAMED: &str = "
    SELECT parts.blob, 'part' AS kind, transfers.id, parts.number, parts.size
        FROM parts JOIN transfers ON transfers.number = parts.transfer WHERE parts.blob > ?1
    UNION ALL SELECT blob, 'body', id, 0, 0 FROM items WHERE blob > ?1
    UNION ALL SELECT pieces.blob, 'piece', uploads.id, pieces.number, pieces.size
        FROM pieces JOIN uploads ON uploads.number = pieces.upload WHERE pieces.blob > ?1
    ORDER BY 1 LIMIT ?2";
const COUNT: &str = "
    SELECT (SELECT count(*) FROM parts) + (SELECT count(*) FROM items WHERE blob IS NOT NULL)
        + (SELECT count(*) FROM pieces)";

/// Gives a blob up.
pub(super) fn doom(db: &Connection, blob: &BlobName) -> Result<()> {
    db.prepare_cached("INSERT INTO doomed (blob) VALUES (?1)")?.execute([blob])?;
    Ok(())
}

/// Blobs that are given up.
fn doomed(db: &Connection, most: usize) -> Result<Vec<BlobName>> {
    let mut doomed = db.prepare_cached(DOOMED)?;
    let rows = doomed.query_map([limit(most)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// These are removed.
fn forget(change: &mut Change<'_>, names: &[BlobName]) -> Result<()> {
    let mut forget = change.db.prepare_cached(FORGET)?;
    for name in names {
        forget.execute([name])?;
    }
    Ok(())
}

/// Those of `names` that no row knows.
fn orphans(db: &Connection, names: Vec<BlobName>) -> Result<Vec<BlobName>> {
    let mut known = db.prepare_cached(KNOWN)?;
    let mut orphans = Vec::new();
    for name in names {
        if !known.query_row([&name], |row| row.get(0))? {
            orphans.push(name);
        }
    }
    Ok(orphans)
}

/// Blobs that rows name, in the order of their names.
pub(super) fn named(db: &Connection, after: Option<&BlobName>, most: usize) -> Result<Vec<NamedBlob>> {
    let mut named = db.prepare_cached(NAMED)?;
    let rows = named.query_map(params![after.map_or("", BlobName::as_str), limit(most)], |row| {
        let (number, Octets(size)) = (row.get(3)?, row.get(4)?);
        let content = match row.get_ref(1)?.as_str()? {
            "part" => BlobContent::Part(row.get(2)?, number, size),
            "piece" => BlobContent::Piece(row.get(2)?, number, size),
            _ => BlobContent::Body(row.get(2)?),
        };
        Ok(NamedBlob { blob: row.get(0)?, content })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many blobs rows name.
pub(super) fn count(db: &Connection) -> Result<u64> {
    let Octets(count) = db.query_row(COUNT, [], |row| row.get(0))?;
    Ok(count)
}
