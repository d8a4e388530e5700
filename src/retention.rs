//! The timer that keeps the promise of the expiry date: keys first, then blobs (C25). Also takes away
//! what crashes left behind. Started by `serve`; it never touches a transfer before its date.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::id::BlobName;
use crate::store::{Blobs, Result, Store};
use crate::transfer::access::SESSION_IDLE;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// A draft that nobody has touched for this long is given up, with its uploads (H16).
const DRAFT_IDLE: Duration = Duration::from_secs(24 * 3600);
/// Blobs removed in one go.
const BATCH: usize = 500;

/// Removes what has had its time.
pub struct Retention {
    store: Arc<dyn Store>,
    blobs: Arc<dyn Blobs>,
    clock: Clock,
    found_at_start: Vec<BlobName>,
}

impl Retention {
    /// A timer over `store` and `blobs`. Must be made before the first message can come in: what it
    /// finds now and no row knows was left behind by a crash, and not by a message still on its way.
    pub fn new(store: Arc<dyn Store>, blobs: Arc<dyn Blobs>, clock: Clock) -> Result<Self> {
        let found_at_start = blobs.names()?;
        Ok(Self { store, blobs, clock, found_at_start })
    }

    /// Runs until `stop`. Trouble is logged and tried again at the next turn.
    pub async fn run(self, stop: CancellationToken) {
        if let Err(error) = self.sweep_orphans().await {
            tracing::error!(%error, "blobs of unfinished messages could not be removed");
        }
        loop {
            if let Err(error) = self.turn().await {
                tracing::error!(%error, "expiry did not finish; it goes on in a minute");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Everything that is due now.
    pub async fn turn(&self) -> Result<()> {
        let now = self.clock.now();
        while !self.store.expire(now).await?.is_empty() {}
        self.store.sweep_sessions(before(now, SESSION_IDLE)).await?;
        while self.store.sweep_drafts(before(now, DRAFT_IDLE), now).await? > 0 {}
        loop {
            let doomed = self.store.doomed_blobs(BATCH).await?;
            if doomed.is_empty() {
                return Ok(());
            }
            self.remove(doomed.clone()).await?;
            self.store.forget_blobs(doomed).await?;
        }
    }

    /// Blobs that were written, but whose message never reached its commit.
    async fn sweep_orphans(&self) -> Result<()> {
        for batch in self.found_at_start.chunks(BATCH) {
            let orphans = self.store.orphans(batch.to_vec()).await?;
            self.remove(orphans).await?;
        }
        Ok(())
    }

    async fn remove(&self, names: Vec<BlobName>) -> Result<()> {
        let blobs = self.blobs.clone();
        blocking(move || names.iter().try_for_each(|name| blobs.remove(name))).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    Ok(done?)
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}
