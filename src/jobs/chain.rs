//! Keeps the hash chain over the audit trail a second behind what happens, and tells its head to the log: whoever keeps the log
//! elsewhere can show by it that nothing was cut off. Runs on the node that leads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::audit::chain::ROWS;
use crate::clock::Clock;
use crate::store::{AuditTrail, Result};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// After trouble with the store.
const TROUBLE: Duration = Duration::from_secs(30);
/// How often the head is a line of the log.
const TOLD: Duration = Duration::from_hours(1);

/// Makes the blocks.
pub struct AuditChain {
    store: Arc<dyn AuditTrail>,
    clock: Clock,
}

impl AuditChain {
    /// Of this store's trail.
    pub fn new(store: Arc<dyn AuditTrail>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Without end; what it is doing can be cut off at any point.
    pub async fn run(&self) {
        let (mut told, mut is_told) = (Instant::now(), false);
        loop {
            let is_new = match self.turn().await {
                Ok(is_new) => is_new,
                Err(error) => {
                    tracing::error!(%error, "the hash chain over the audit trail is behind; trying again");
                    sleep(TROUBLE).await;
                    continue;
                }
            };
            is_told &= !is_new;
            if !is_told && told.elapsed() >= TOLD {
                (told, is_told) = (Instant::now(), self.tell().await);
            }
            sleep(INTERVAL).await;
        }
    }

    /// Everything that is there by now; tells whether that was anything.
    async fn turn(&self) -> Result<bool> {
        let mut is_new = false;
        loop {
            let rows = self.store.extend_chain(self.clock.now()).await?;
            is_new |= rows > 0;
            if rows < ROWS {
                return Ok(is_new);
            }
        }
    }

    async fn tell(&self) -> bool {
        match self.store.newest_block().await {
            Ok(Some(block)) => {
                tracing::info!(head = %block.head(), "the audit trail is in the hash chain up to here")
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the head of the hash chain could not be read");
                return false;
            }
        }
        true
    }
}
