//! The end of keys: which of them bodies still need, and that all others are destroyed (C29). What is in the journal
//! holds its key by itself.

use std::collections::HashSet;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::{Sqlite, queue};
use crate::secret::keyring::{Destroyed, KeyId, Keyring};
use crate::store::{BodyKeys, Result, StoreError};

#[async_trait]
impl BodyKeys for Sqlite {
    async fn destroy_keys(&self) -> Result<Destroyed> {
        self.destroy_unused_keys().await
    }

    async fn keys_run_low(&self) {
        self.ring.low().await;
    }

    async fn shrink_log(&self) -> Result<()> {
        self.shrink_idle_log().await
    }
}

/// Takes over the keys that are left from before this start, before any mail is accepted. An error is logged here, and returned
/// to the next caller that needs a key.
pub(super) fn start(db: &Connection, ring: &Keyring) -> Result<()> {
    let needed = queue::keys(db)?;
    let unused = ring.unheld().map(|unheld| without(unheld, &needed));
    if let Err(error) = unused.and_then(|unused| ring.destroy(&unused)) {
        tracing::error!(%error, "keys of mail that is gone cannot be destroyed; trying again");
    }
    let lost = needed.iter().filter(|key| ring.find(**key).is_err()).count();
    if lost > 0 {
        tracing::error!(
            messages = lost,
            "messages wait whose keys are not in the folder keys: restore it from the backup of this database"
        );
    }
    Ok(())
}

impl Sqlite {
    /// Used to seal and open bodies.
    pub fn keyring(&self) -> Keyring {
        self.ring.clone()
    }

    /// The order is the promise: nothing in memory needs these keys, so whatever does is a row that the writer knows,
    /// and what it no longer knows went with a commit that is on disk.
    pub(super) async fn destroy_unused_keys(&self) -> Result<Destroyed> {
        let ring = self.ring.clone();
        let unheld = spawn_blocking(move || ring.unheld()).await.map_err(|_| StoreError::Closed)??;
        let unused = match unheld.is_empty() {
            true => unheld,
            false => without(unheld, &self.writer.run(|change| queue::keys(change.db)).await?),
        };
        let ring = self.ring.clone();
        let destroyed =
            spawn_blocking(move || ring.destroy(&unused)).await.map_err(|_| StoreError::Closed)?;
        Ok(destroyed?)
    }
}

fn without(keys: Vec<KeyId>, needed: &HashSet<KeyId>) -> Vec<KeyId> {
    keys.into_iter().filter(|key| !needed.contains(key)).collect()
}
