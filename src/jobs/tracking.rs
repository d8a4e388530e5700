//! Writes where ordinary mail went, behind it and many mails at a time. Started by `serve`.
//!
//! A crash takes what was not written yet: mail that was delivered within the last [`INTERVAL`]. The log has it, and what the
//! journal still knows is found again at the next start.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::TrackingStore;

/// How often.
const INTERVAL: Duration = Duration::from_millis(500);
/// A store that cannot be written is told of this often.
const QUIET: Duration = Duration::from_mins(1);

/// Works until `stop`. The caller that stops it calls [`TrackingStore::write_tracks`] once more when the last delivery has ended.
pub async fn run(store: Arc<dyn TrackingStore>, stop: CancellationToken) {
    let mut told: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(INTERVAL) => {}
        }
        match store.write_tracks().await {
            Ok(_) => told = None,
            Err(error) if told.is_none_or(|told| told.elapsed() >= QUIET) => {
                tracing::error!(%error, "what `zegel track` tells cannot be written; trying again");
                told = Some(Instant::now());
            }
            Err(_) => {}
        }
    }
}
