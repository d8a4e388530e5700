//! Follows a rotation of the master key while the gateway runs, reads `master.key` again when it was changed, and retires keys
//! that nothing needs any more. Started by `serve`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::master_keys::{self, Place};
use crate::secret::masters::{Generations, KeyFile, KeyTrouble};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// How often it looks for keys that nothing needs. So long, too, what was being sealed at a rotation may take, whatever the
/// clock does meanwhile.
const RETIRE: Duration = Duration::from_hours(1);

/// Looks after them.
pub struct MasterKeys {
    place: Place,
    clock: Clock,
    seen: Option<(u64, i64, i64)>,
    file: Option<KeyTrouble>,
    next_retirement: Instant,
}

impl MasterKeys {
    /// Of this gateway.
    pub fn new(place: Place, clock: Clock) -> Self {
        let seen = state(&place.keys.generations);
        // What an earlier life had in its journal has become rows by now.
        Self { place, clock, seen, file: None, next_retirement: Instant::now() }
    }

    /// Until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Some(Err(error)) = self.place.keys.generations.file().map(KeyFile::clean_up) {
            tracing::debug!(%error, "what a change of master.key has left could not be removed");
        }
        loop {
            self.read_again();
            self.follow().await;
            if Instant::now() >= self.next_retirement {
                self.next_retirement = Instant::now() + RETIRE;
                self.retire().await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(INTERVAL) => {}
            }
        }
    }

    /// Another process has written the file: with a new key, or without an old one.
    fn read_again(&mut self) {
        let generations = &self.place.keys.generations;
        let state = state(generations);
        if state == self.seen {
            return;
        }
        self.seen = state;
        let reason = match generations.refresh() {
            Ok(true) => {
                tracing::info!(keys = ?generations.whole(), "master.key was read again");
                self.file = None;
                return;
            }
            Ok(false) => "a key that this gateway works with is not in it".to_owned(),
            Err(error) => error.to_string(),
        };
        let text = format!("master.key was changed ({reason}): put it right before this gateway is stopped");
        tracing::error!("{text}");
        self.file = Some(KeyTrouble::File(text));
    }

    async fn follow(&mut self) {
        let keys = &self.place.keys;
        // That the store does not answer is told elsewhere.
        let Ok(Some(identity)) = self.place.store.known_identity().await else { return };
        let trouble = match master_keys::follow(&identity, keys) {
            Ok(has_changed) => {
                if has_changed {
                    tracing::info!(key = keys.generations.current(), "another master key is the current one");
                    self.next_retirement = Instant::now() + RETIRE;
                }
                self.file.clone()
            }
            Err(text) => Some(KeyTrouble::CurrentIsMissing(text)),
        };
        let before = keys.generations.trouble();
        if let Some(KeyTrouble::CurrentIsMissing(text)) = trouble.as_ref().filter(|_| before != trouble) {
            tracing::error!("{text}");
        }
        keys.generations.set_trouble(trouble);
    }

    async fn retire(&self) {
        match self.place.retire(self.clock.now()).await {
            Ok(retired) if retired.is_empty() => {}
            Ok(retired) => {
                tracing::info!(keys = ?retired, "nothing needs these master keys any more: they were destroyed");
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "old master keys stay in master.key"),
        }
    }
}

/// By which a file that was changed is known.
fn state(generations: &Generations) -> Option<(u64, i64, i64)> {
    let file = fs::metadata(generations.file()?).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec()))
}
