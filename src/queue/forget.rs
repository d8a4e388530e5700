//! Sees to it that mail that is gone cannot be read any more and takes no room: every few seconds the keys of such bodies
//! are destroyed (C29), and the log of the database is emptied when nothing is written (H43). Started by `serve`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::secret::keyring::Destroyed;
use crate::store::BodyKeys;

/// How often; the promise is thirty seconds.
const INTERVAL: Duration = Duration::from_secs(5);
/// After so long in which a backup had everything kept, somebody is told.
const LONG: Duration = Duration::from_mins(1);
/// After trouble, so that few keys are no reason to turn in circles.
const TROUBLE: Duration = Duration::from_secs(1);

/// Works until `stop`. The caller that stops it calls [`BodyKeys::destroy_keys`] once more when the last delivery has ended.
pub async fn run(store: Arc<dyn BodyKeys>, stop: CancellationToken) {
    let mut kept_since = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(INTERVAL) => {}
            () = store.keys_run_low() => {}
        }
        match store.destroy_keys().await {
            Ok(Destroyed::All) => kept_since = None,
            Ok(Destroyed::Later) => {
                let since = kept_since.get_or_insert_with(Instant::now);
                if since.elapsed() > LONG {
                    tracing::warn!(
                        seconds = since.elapsed().as_secs(),
                        "keys of delivered mail are not destroyed: a backup holds the folder keys"
                    );
                }
            }
            Err(error) => {
                tracing::error!(%error, "keys of delivered mail cannot be destroyed; trying again");
                sleep(TROUBLE).await;
            }
        }
        if let Err(error) = store.shrink_log().await {
            tracing::error!(%error, "the log of the database cannot be emptied; trying again");
        }
    }
}
