//! Which blobs are still wanted, and which may be there without a row: an *intent* is written before the upload of a blob
//! begins, and goes in the commit that names the blob. Nothing is ever removed because no row names it, but because its
//! intent has grown old, or a row gave it up.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::Postgres;
use super::columns::{Time, get, limit, number};
use super::kept::is_kept;
use super::lent::Connection;
use super::locks::Lock;
use super::unclear::GivenUp;
use crate::clock::Timestamp;
use crate::id::{BlobName, FolderId};
use crate::store::{BlobContent, BlobIndex, BlobIntents, NamedBlob, Result, StoreError};

#[async_trait]
impl BlobIndex for Postgres {
    async fn named_blobs(&self, after: Option<BlobName>, limit: usize) -> Result<Vec<NamedBlob>> {
        self.read(move |db| async move { all_named(db, after.as_ref(), limit).await }.boxed()).await
    }

    async fn unreferenced_blobs(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>> {
        self.read(move |db| async move { blobs(&db.query(UNKNOWN, &[&texts(&names)]).await?) }.boxed()).await
    }

    async fn others_at_work(&self, owner: &FolderId, since: Timestamp) -> Result<bool> {
        let owner = owner.clone();
        self.read(move |db| {
            async move { get(&db.one(OTHERS, &[&owner, &Time(since)]).await?, "are_there") }.boxed()
        })
        .await
    }

    async fn pending_deletion(&self, most: usize) -> Result<Vec<BlobName>> {
        self.read(move |db| {
            async move {
                match is_kept(db, Lock::KeepBlobs).await? {
                    true => Ok(Vec::new()),
                    false => blobs(&db.query(DOOMED, &[&limit(most)]).await?),
                }
            }
            .boxed()
        })
        .await
    }

    async fn forget_blobs(&self, names: Vec<BlobName>) -> Result<()> {
        self.read(move |db| async move { db.execute(FORGET, &[&texts(&names)]).await.map(drop) }.boxed())
            .await
    }
}

#[async_trait]
impl BlobIntents for Postgres {
    async fn intend(&self, names: Vec<BlobName>, now: Timestamp) -> Result<()> {
        self.read(move |db| {
            async move { db.execute(INTEND, &[&texts(&names), &Time(now)]).await.map(drop) }.boxed()
        })
        .await
    }
}

pub(super) const INTEND: &str = "
    INSERT INTO intents (blob, made) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING";
pub(super) const FULFIL: &str = "DELETE FROM intents WHERE blob = ANY($1::text[])";
pub(super) const GIVEN_UP: &str = "SELECT 1 FROM doomed WHERE blob = ANY($1::text[]) LIMIT 1";
pub(super) const DOOMED: &str = "SELECT blob FROM doomed LIMIT $1";
pub(super) const DOOM: &str = "INSERT INTO doomed (blob) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
pub(super) const FORGET: &str = "DELETE FROM doomed WHERE blob = ANY($1::text[])";
pub(super) const OLD_INTENTS: &str = "
    SELECT blob FROM intents WHERE made < $1 ORDER BY made LIMIT $2 FOR UPDATE SKIP LOCKED";
/// A blob that a node has announced counts as known.
pub(super) const UNKNOWN: &str = "
    SELECT blob FROM unnest($1::text[]) WITH ORDINALITY AS asked (blob, place)
    WHERE NOT EXISTS (SELECT 1 FROM parts WHERE parts.blob = asked.blob)
        AND NOT EXISTS (SELECT 1 FROM items WHERE items.blob = asked.blob)
        AND NOT EXISTS (SELECT 1 FROM pieces WHERE pieces.blob = asked.blob)
        AND NOT EXISTS (SELECT 1 FROM doomed WHERE doomed.blob = asked.blob)
        AND NOT EXISTS (SELECT 1 FROM intents WHERE intents.blob = asked.blob)
    ORDER BY place";
/// Everything that names a blob, but for what is given up; each part comes out of an index in the order of the names.
pub(super) const NAMED: &str = "
    (SELECT parts.blob, 'part' AS kind, transfers.id, parts.number, parts.size
        FROM parts JOIN transfers ON transfers.number = parts.transfer WHERE parts.blob > $1 ORDER BY 1 LIMIT $2)
    UNION ALL (SELECT blob, 'body', id, 0, 0 FROM items WHERE blob > $1 ORDER BY 1 LIMIT $2)
    UNION ALL (SELECT pieces.blob, 'piece', uploads.id, pieces.number, pieces.size
        FROM pieces JOIN uploads ON uploads.number = pieces.upload WHERE pieces.blob > $1 ORDER BY 1 LIMIT $2)
    ORDER BY 1 LIMIT $2";
const OTHERS: &str = "SELECT EXISTS (SELECT 1 FROM nodes WHERE id <> $1 AND seen >= $2) AS are_there";

/// Blobs that rows name, in the order of their names.
async fn all_named(db: &Connection, after: Option<&BlobName>, most: usize) -> Result<Vec<NamedBlob>> {
    let after = after.map_or("", BlobName::as_str);
    db.query(NAMED, &[&after, &limit(most)]).await?.iter().map(named_blob).collect()
}

fn named_blob(row: &Row) -> Result<NamedBlob> {
    let content = match get(row, "kind")? {
        "part" => BlobContent::Part(get(row, "id")?, number(row, "number")?, number(row, "size")?),
        "piece" => BlobContent::Piece(get(row, "id")?, number(row, "number")?, number(row, "size")?),
        _ => BlobContent::Body(get(row, "id")?),
    };
    Ok(NamedBlob { blob: get(row, "blob")?, content })
}

/// Rows of this transaction name these blobs: their intents are fulfilled. One that was given up meanwhile, because its
/// intent had grown old, may be gone already: whoever brought it must begin anew.
pub(super) async fn named(db: &Connection, names: &[BlobName]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let names = texts(names);
    // In this order: who gives a blob up holds the row of its intent until it is among the doomed.
    let rows = db.in_turn(&[(FULFIL, &[&names]), (GIVEN_UP, &[&names])]).await?;
    match rows.iter().all(Vec::is_empty) {
        true => Ok(()),
        false => Err(StoreError::Database(GivenUp.into())),
    }
}

/// Gives blobs up.
pub(super) async fn doom(db: &Connection, names: &[BlobName]) -> Result<()> {
    db.execute(DOOM, &[&texts(names)]).await.map(drop)
}

/// Gives up what was intended before then and never came to be named, a bounded number of blobs; tells which.
pub(super) async fn give_up_intents(
    db: &Connection,
    before: Timestamp,
    most: usize,
) -> Result<Vec<BlobName>> {
    let old = blobs(&db.query(OLD_INTENTS, &[&Time(before), &limit(most)]).await?)?;
    if old.is_empty() {
        return Ok(old);
    }
    db.execute(FULFIL, &[&texts(&old)]).await?;
    let unknown = blobs(&db.query(UNKNOWN, &[&texts(&old)]).await?)?;
    doom(db, &unknown).await?;
    Ok(unknown)
}

fn blobs(rows: &[Row]) -> Result<Vec<BlobName>> {
    rows.iter().map(|row| get(row, "blob")).collect()
}

fn texts(names: &[BlobName]) -> Vec<&str> {
    names.iter().map(BlobName::as_str).collect()
}
