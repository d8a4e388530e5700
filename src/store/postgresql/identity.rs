//! One row that says which blobs and which master key the database belongs to.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::Postgres;
use super::columns::{Json, Number, Time, get, number, octets, time, time_or_none};
use super::lent::{Connection, Parameters};
use super::locks::Lock;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::FolderId;
use crate::store::{BodyData, Identity, LinksInUse, MasterKeyStore, Remembered, Result, StoreError};

const IDENTITY: &str = "SELECT id, key_check, rotations FROM folder";
const MOVED: &str = "SELECT moved FROM folder WHERE moved IS NOT NULL";
pub(super) const FOUND: &str = "
    INSERT INTO folder (number, id, key_check, rotations) VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING";
const SET: &str = "UPDATE folder SET id = $1, key_check = $2, rotations = $3";
/// Only one rotation from the key that is current.
const ROTATE: &str = "UPDATE folder SET key_check = $2, rotations = $3 WHERE id = $1 AND key_check = $4";
pub(super) const IN_USE: &str = "
    SELECT generation, count(*) AS transfers, max(expires) AS until FROM transfers WHERE shredded IS NULL
    GROUP BY generation ORDER BY generation";
pub(super) const REMEMBERED: &str = "
    SELECT count(*) AS browsers, max(until) AS until FROM browsers WHERE until > $1 AND until <= $2";
pub(super) const BODIES: &str = "SELECT blob, substring(body FROM 1 FOR $1) AS start FROM items";
const UNUSED: &str = "
    SELECT NOT (EXISTS (SELECT 1 FROM turns) OR EXISTS (SELECT 1 FROM nodes) OR EXISTS (SELECT 1 FROM items)
        OR EXISTS (SELECT 1 FROM transfers) OR EXISTS (SELECT 1 FROM audit)) AS is_unused";
const LOST: &str = "SELECT coalesce(max(lost), 0) AS lost FROM folder";
pub(super) const SET_LOST: &str = "UPDATE folder SET lost = $1";

impl Postgres {
    /// What the row says; `None` for a database that was never used. It is an error where all rows were moved elsewhere.
    pub async fn identity(&self) -> Result<Option<Identity>> {
        self.read(|db| {
            async move {
                match db.row(MOVED, &[]).await? {
                    Some(row) => Err(StoreError::Moved(get(&row, "moved")?)),
                    None => identity(db).await,
                }
            }
            .boxed()
        })
        .await
    }

    /// Gives the database an identity, if it has none; tells the one that it has. Of several nodes that start at once, one
    /// founds it.
    pub async fn found(&self, new: Identity) -> Result<Identity> {
        self.write(|change| {
            async move {
                change.db.batch(&Lock::Identity.in_transaction()).await?;
                if let Some(found) = identity(&change.db).await? {
                    return Ok(found);
                }
                execute(&change.db, FOUND, &new).await?;
                Ok(new)
            }
            .boxed()
        })
        .await
    }

    /// Whether no node was ever at work: its first start was cut off.
    pub async fn is_unused(&self) -> Result<bool> {
        self.read(|db| async move { get(&db.one(UNUSED, &[]).await?, "is_unused") }.boxed()).await
    }

    /// Gives it another identity: an administrator says that key or blobs are lost for good.
    pub async fn set_identity(&self, new: Identity) -> Result<()> {
        self.read(|db| {
            async move {
                execute(db, SET, &new).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// How many of the blobs that rows name are known to be lost.
    pub async fn lost(&self) -> Result<u64> {
        self.read(|db| lost(db).boxed()).await
    }

    /// So many are lost for good.
    pub async fn set_lost(&self, blobs: u64) -> Result<()> {
        self.read(|db| async move { db.execute(SET_LOST, &[&Number(blobs)]).await.map(drop) }.boxed()).await
    }

    /// The node that this is.
    pub fn node(&self) -> &FolderId {
        &self.node
    }
}

pub(super) async fn lost(db: &Connection) -> Result<u64> {
    number(&db.one(LOST, &[]).await?, "lost")
}

/// What the row says, whether the rows were moved elsewhere or not.
pub(super) async fn identity(db: &Connection) -> Result<Option<Identity>> {
    let Some(row) = db.row(IDENTITY, &[]).await? else { return Ok(None) };
    let rotations = get::<Json<_>>(&row, "rotations")?.0;
    Ok(Some(Identity { id: get(&row, "id")?, key_check: octets(&row, "key_check")?, rotations }))
}

/// A statement whose parameters are all that an identity says.
pub(super) async fn execute(db: &Connection, sql: &str, identity: &Identity) -> Result<u64> {
    let Identity { id, key_check, rotations } = identity;
    db.execute(sql, &[id, &&key_check[..], &Json(rotations)]).await
}

#[async_trait]
impl MasterKeyStore for Postgres {
    async fn known_identity(&self) -> Result<Option<Identity>> {
        self.identity().await
    }

    async fn rotate_master_key(&self, from: Identity, new: Identity, event: Event) -> Result<bool> {
        self.write(move |change| {
            async move {
                let parameters: Parameters<'_> =
                    &[&from.id, &&new.key_check[..], &Json(&new.rotations), &&from.key_check[..]];
                let is_done = change.db.execute(ROTATE, parameters).await? > 0;
                if is_done {
                    change.record(event).await?;
                }
                Ok(is_done)
            }
            .boxed()
        })
        .await
    }

    async fn links_in_use(&self) -> Result<Vec<LinksInUse>> {
        let links = |row: &Row| {
            let (generation, transfers) = (number(row, "generation")?, number(row, "transfers")?);
            Ok(LinksInUse { generation, transfers, until: time(row, "until")? })
        };
        self.read(move |db| async move { db.query(IN_USE, &[]).await?.iter().map(links).collect() }.boxed())
            .await
    }

    async fn remembered(&self, now: Timestamp, until: Timestamp) -> Result<Remembered> {
        self.read(move |db| {
            async move {
                let row = db.one(REMEMBERED, &[&Time(now), &Time(until)]).await?;
                Ok(Remembered { browsers: number(&row, "browsers")?, until: time_or_none(&row, "until")? })
            }
            .boxed()
        })
        .await
    }

    async fn queued_bodies(&self, octets: u32) -> Result<Vec<BodyData>> {
        let body = |row: &Row| {
            Ok(match get(row, "blob")? {
                Some(blob) => BodyData::Blob(blob),
                None => BodyData::Inline(get::<Option<_>>(row, "start")?.unwrap_or_default()),
            })
        };
        let octets = i32::try_from(octets).unwrap_or(i32::MAX);
        self.read(move |db| {
            async move { db.query(BODIES, &[&octets]).await?.iter().map(body).collect() }.boxed()
        })
        .await
    }
}
