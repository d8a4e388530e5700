//! Keys of short life: which of them rows still need, and that all others are destroyed (C29). What is on its way to a commit
//! holds its key in memory; a row of the queue is asked for; a transfer, which lasts, says itself when it has ended
//! (table `ended_keys`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::task::spawn_blocking;

use super::Postgres;
use super::columns::{get, number};
use super::lent::Connection;
use super::sheets::Sheets;
use super::short_keys::ShortKeys;
use crate::secret::keyring::{Destroyed, KeyId, Keyring};
use crate::secret::sheet::SheetStore;
use crate::secret::wrap;
use crate::store::{BodyKeys, LostKeys, Result, SheetObjects, StoreError};

/// Keys of the queue in the sheets that are given: whatever else a sheet is used for costs nothing.
pub(super) const NEEDED_BY_MAIL: &str = "
    SELECT key FROM unnest($1::bigint[]) AS sheet JOIN items ON key BETWEEN sheet << 32 AND (sheet << 32) + 4294967295";
pub(super) const NEEDED_BY_TRANSFERS: &str = "SELECT key FROM transfer_recipients WHERE key = ANY($1)";
pub(super) const ENDED: &str = "
    SELECT key FROM unnest($1::bigint[]) AS sheet
    JOIN ended_keys ON key BETWEEN sheet << 32 AND (sheet << 32) + 4294967295";
pub(super) const SHEETS: &str = "SELECT object FROM sheets";
pub(super) const USED: &str = "
    SELECT object,
        (SELECT count(*) FROM items WHERE key BETWEEN sheets.number << 32 AND (sheets.number << 32) + 4294967295) AS mails,
        (SELECT count(*) FROM transfer_recipients
            WHERE key BETWEEN sheets.number << 32 AND (sheets.number << 32) + 4294967295) AS links
    FROM sheets WHERE object = ANY($1) ORDER BY object";
pub(super) const FORGET_ENDED: &str = "DELETE FROM ended_keys WHERE key = ANY($1)";

impl Postgres {
    /// With keys that are kept in `objects`: those of a node, made ahead. Without the blob store mail is refused for a
    /// while until there are some.
    pub async fn with_keys(self, objects: Arc<dyn SheetObjects>) -> Self {
        let store = self.with_sheets(objects, Keyring::of_node);
        if let Err(error) = store.destroy_keys().await {
            tracing::error!(%error, "no keys of short life can be made; trying again");
        }
        store
    }

    /// The same for a command line tool, which makes keys when it needs some.
    pub fn with_keys_of_tool(self, objects: Arc<dyn SheetObjects>) -> Self {
        self.with_sheets(objects, Keyring::of_tool_beside_nodes)
    }

    /// The same for a move, which needs many.
    pub fn with_keys_of_move(self, objects: Arc<dyn SheetObjects>) -> Self {
        self.with_sheets(objects, Keyring::of_move)
    }

    fn with_sheets(self, objects: Arc<dyn SheetObjects>, ring: fn(Box<dyn SheetStore>) -> Keyring) -> Self {
        let sheets = Sheets::new(self.beside(), objects);
        let keys = Arc::new(ShortKeys::new(ring(Box::new(sheets.clone()))));
        Self { keys, sheets: Some(sheets), ..self }
    }

    /// Used to seal and open bodies.
    pub fn keyring(&self) -> Keyring {
        self.keys.ring.clone()
    }

    /// Opens the key packet of a row. `None` where its key was destroyed since the row was read.
    pub(super) async fn unwrap(&self, sealed: &[u8], key: KeyId) -> Result<Option<Vec<u8>>> {
        let opened = |found: zeroize::Zeroizing<[u8; 32]>| wrap::unwrap(key, &found, sealed);
        if let Some(found) = self.keys.ring.find_here(key) {
            return Ok(found.ok().and_then(opened));
        }
        let Some(sheets) = &self.sheets else { return Ok(None) };
        // Nobody else's key opens it: one that is out of date is found out.
        if let Some(packet) = sheets.held(key).and_then(opened) {
            return Ok(Some(packet));
        }
        Ok(sheets.read(key).await?.and_then(opened))
    }

    /// Which of these keys rows of the queue need, and which transfers.
    async fn needed(&self, keys: &[KeyId]) -> Result<(HashSet<KeyId>, Vec<KeyId>)> {
        if keys.is_empty() {
            return Ok((HashSet::new(), Vec::new()));
        }
        let sheets: HashSet<_> = keys.iter().map(|key| i64::from(key.sheet())).collect();
        let (sheets, keys): (Vec<_>, _) = (sheets.into_iter().collect(), keys.to_vec());
        let work = self.read(move |db| {
            async move {
                let mail: HashSet<_> = names(db, NEEDED_BY_MAIL, &sheets).await?.into_iter().collect();
                let others: Vec<_> = keys.into_iter().filter(|key| !mail.contains(key)).collect();
                let transfers = names(db, NEEDED_BY_TRANSFERS, &others).await?;
                Ok((mail, transfers))
            }
            .boxed()
        });
        work.await
    }

    async fn ended_keys(&self) -> Result<Vec<KeyId>> {
        let sheets: Vec<_> = self.keys.ring.sheets().into_iter().map(i64::from).collect();
        self.read(move |db| async move { names(db, ENDED, &sheets).await }.boxed()).await
    }
}

#[async_trait]
impl BodyKeys for Postgres {
    /// The order is the promise: nothing in memory needs these keys, so whatever does is a row that is committed, and what
    /// is no row any more went with a commit.
    async fn destroy_keys(&self) -> Result<Destroyed> {
        if let Some(journal) = &self.journal {
            journal.destroy_keys().await?;
        }
        let ended = self.ended_keys().await?;
        self.keys.answered(Instant::now());
        self.keys.ring.ended(&ended);
        let ring = self.keyring();
        let unheld = blocking(move || ring.unheld()).await?;
        let (mail, transfers) = self.needed(&unheld).await?;
        self.keys.ring.lasting(&transfers);
        let lasting: HashSet<_> = transfers.into_iter().collect();
        let is_unused = |key: &KeyId| !mail.contains(key) && !lasting.contains(key);
        let unused: Vec<_> = unheld.into_iter().filter(is_unused).collect();
        let ring = self.keyring();
        let destroyed = blocking(move || ring.destroy(&unused)).await?;
        if !ended.is_empty() {
            self.read(move |db| async move { db.execute(FORGET_ENDED, &[&ended]).await }.boxed()).await?;
        }
        if let Some(sheets) = &self.sheets {
            sheets.clear().await?;
        }
        Ok(destroyed)
    }

    async fn keys_run_low(&self) {
        match &self.journal {
            Some(journal) => tokio::select! {
                () = self.keys.ring.low() => {}
                () = journal.keys_run_low() => {}
            },
            None => self.keys.ring.low().await,
        }
    }

    /// The database's own affair.
    async fn shrink_log(&self) -> Result<()> {
        Ok(())
    }

    /// Rows are read before the objects are listed, and once more after: a sheet is in another object when its keys were changed.
    async fn lost_keys(&self) -> Result<Vec<LostKeys>> {
        let Some(sheets) = &self.sheets else { return Ok(Vec::new()) };
        let named = self.read(|db| async move { db.query(SHEETS, &[]).await }.boxed()).await?;
        let named = named.iter().map(|row| get(row, "object")).collect::<Result<Vec<String>>>()?;
        let there = sheets.listed().await?;
        let missing: Vec<_> = named.into_iter().filter(|object| !there.contains(object)).collect();
        let rows = self.read(move |db| async move { db.query(USED, &[&missing]).await }.boxed()).await?;
        let lost = |row| {
            Ok(LostKeys {
                object: get(row, "object")?,
                mails: number(row, "mails")?,
                links: number(row, "links")?,
            })
        };
        rows.iter().map(lost).collect()
    }
}

async fn names(
    db: &Connection,
    statement: &str,
    of: &(dyn tokio_postgres::types::ToSql + Sync),
) -> Result<Vec<KeyId>> {
    db.query(statement, &[of]).await?.iter().map(|row| get(row, "key")).collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    Ok(spawn_blocking(work).await.map_err(|_| StoreError::Closed)??)
}
