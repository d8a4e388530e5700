//! One row that says which blobs and which master key the database belongs to.

use futures_util::FutureExt;

use super::Postgres;
use super::columns::{Number, get, number, octets};
use super::lent::Connection;
use super::locks::Lock;
use crate::id::FolderId;
use crate::store::{Identity, Result, StoreError};

const IDENTITY: &str = "SELECT id, key_check FROM folder";
const MOVED: &str = "SELECT moved FROM folder WHERE moved IS NOT NULL";
pub(super) const FOUND: &str =
    "INSERT INTO folder (number, id, key_check) VALUES (1, $1, $2) ON CONFLICT DO NOTHING";
const SET: &str = "UPDATE folder SET id = $1, key_check = $2";
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
                change.db.execute(FOUND, &[&new.id, &&new.key_check[..]]).await?;
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
                db.execute(SET, &[&new.id, &&new.key_check[..]]).await?;
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
    Ok(Some(Identity { id: get(&row, "id")?, key_check: octets(&row, "key_check")? }))
}
