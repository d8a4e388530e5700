//! The signs of life of a node, by which the others know that what it has claimed is in good hands. Started by `serve`; a
//! gateway that is alone on its store gives none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, jittered};
use crate::id::FolderId;
use crate::secret::FolderKey;
use crate::secret::masters::Generation;
use crate::settings::{CurrentSettings, Settings};
use crate::store::nodes::{self, Difference, NodeFacts, SKEW_NOTED, SettingsDigests};
use crate::store::{self, NodeStore, Result};

/// How often, at most: six of them fit into a lease.
const INTERVAL: Duration = Duration::from_secs(5);
/// After one that failed.
const TROUBLE: Duration = Duration::from_secs(1);
/// No more often, whoever asks for one.
const LEAST: Duration = Duration::from_millis(300);

/// Gives them.
pub struct Heartbeat {
    store: Arc<dyn NodeStore>,
    clock: Clock,
    settings: CurrentSettings,
    key: FolderKey,
    folder: FolderId,
    /// Of which settings the digests are that others are shown, and of which master key.
    shown: Option<(Arc<Settings>, Generation)>,
    me: NodeFacts,
    is_away: bool,
    is_skewed: bool,
    differs: Vec<Difference>,
}

impl Heartbeat {
    /// The first one: from here on what this node claims is its own. Fails where the database cannot be reached. `key` makes
    /// the digests of the settings by which nodes that differ are noticed, and with `folder` the names of the master keys.
    pub async fn begin(
        store: Arc<dyn NodeStore>,
        clock: Clock,
        settings: CurrentSettings,
        (folder, key): (FolderId, FolderKey),
    ) -> Result<Self> {
        let me = NodeFacts {
            host: nodes::host(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: clock.now(),
            draining: false,
            settings: SettingsDigests::new(),
            master_keys: Vec::new(),
        };
        let (shown, differs) = (None, Vec::new());
        let (is_away, is_skewed) = (false, false);
        let mut heart = Self { store, clock, settings, key, folder, shown, me, is_away, is_skewed, differs };
        heart.show();
        let beat = heart.store.heartbeat(&heart.me, &heart.clock).await?;
        heart.note(beat);
        Ok(heart)
    }

    /// One after the other until `stop`, and says from `draining` on that this node takes in nothing new. In the end it
    /// leaves, and what it has claimed and did not deliver is free.
    pub async fn run(mut self, draining: CancellationToken, stop: CancellationToken) {
        if self.store.health().is_none() {
            return;
        }
        let mut pause = jittered(INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = draining.cancelled(), if !self.me.draining => self.me.draining = true,
                () = sleep(pause) => {}
                () = self.asked_for() => {}
            }
            pause = jittered(if self.beat().await { INTERVAL } else { TROUBLE });
        }
        if let Err(error) = self.store.leave().await {
            tracing::warn!(%error, "this node could not say that it leaves; its claims are free when its lease ends");
        }
    }

    fn show(&mut self) {
        self.me.master_keys = store::key_names(&self.folder, &self.key);
        let (now, key) = (self.settings.get(), self.key.generation());
        let is_shown = |(shown, of): &(_, Generation)| Arc::ptr_eq(shown, &now) && *of == key;
        if !self.shown.as_ref().is_some_and(is_shown) {
            self.me.settings = now.digests(&self.key);
            self.shown = Some((now, key));
        }
    }

    /// Waits until one is asked for.
    async fn asked_for(&self) {
        sleep(LEAST).await;
        self.store.suspected().await;
    }

    /// Whether it could be given.
    async fn beat(&mut self) -> bool {
        self.show();
        match self.store.heartbeat(&self.me, &self.clock).await {
            Ok(beat) => {
                if std::mem::take(&mut self.is_away) {
                    tracing::info!("the database answers again");
                }
                self.note(beat);
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::error!(%error, "no sign of life could be given to the other nodes; trying again");
                }
                false
            }
        }
    }

    fn note(&mut self, beat: nodes::Heartbeat) {
        if beat.had_ended {
            tracing::error!(
                "the lease of this node had ended; what it was delivering may be delivered a second time"
            );
        }
        if beat.freed > 0 {
            tracing::warn!(items = beat.freed, "what a node had claimed whose lease has ended is free");
        }
        let is_skewed = Duration::from_micros(beat.skew.unsigned_abs()) >= SKEW_NOTED;
        if is_skewed && !self.is_skewed {
            tracing::warn!(
                seconds = beat.skew as f64 / 1e6,
                "the clock of this node differs from the database's: limits and dates of all nodes count by both"
            );
        }
        self.is_skewed = is_skewed;
        let differs = self.store.health().map(|health| health.differs).unwrap_or_default();
        if differs != self.differs && !differs.is_empty() {
            tracing::warn!(
                differs = Difference::list(&differs),
                "nodes go by different settings: mail and pages depend on which of them they come to"
            );
        }
        self.differs = differs;
    }
}
