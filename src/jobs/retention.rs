//! The timer: keeps the promise of the expiry date, keys first, then blobs (C25); after some time more what was known
//! of the transfer; and calls `reminders`. Also takes away what crashes left behind. Started by `serve`.
//!
//! What must never happen: that it touches a transfer before its date, or believes a clock that has leapt (H34); that
//! it removes a blob which no row knows without knowing why (C36).

mod sweep;

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp, earlier};
use crate::data_folder::Before;
use crate::id::BlobName;
use crate::jobs::chain::AuditChain;
use crate::jobs::reminders::Reminders;
use crate::settings::{CurrentSettings, Settings};
use crate::store::{Blobs, ClockVerdict, Forget, INTENT_LASTS, NodeStore, Result, RetentionStore};
use crate::transfer::access::SESSION_IDLE;

/// How often it looks.
const INTERVAL: Duration = Duration::from_mins(1);
/// A draft that nobody has touched for this long is given up, with its uploads (H16).
const DRAFT_IDLE: Duration = Duration::from_hours(24);
/// Blobs removed in one go.
const BATCH: usize = 500;
/// Days for which a thread stays sealed after the last message that was sealed in it: the seven years for which
/// municipal mail is kept (docs/decisions/0007).
const THREAD_DAYS: u32 = 7 * 366;

/// Removes what has had its time.
pub struct Retention {
    store: Arc<dyn RetentionStore>,
    blobs: Arc<dyn Blobs>,
    clock: Clock,
    settings: CurrentSettings,
    reminders: Reminders,
    before: Before,
}

impl Retention {
    /// A timer over `store` and `blobs`. What was there `before` the first message came in, and no row knows, was left
    /// behind by a crash, and is not of a message still on its way.
    pub fn new(
        store: Arc<dyn RetentionStore>,
        blobs: Arc<dyn Blobs>,
        clock: Clock,
        settings: CurrentSettings,
        reminders: Reminders,
        before: Before,
    ) -> Self {
        Self { store, blobs, clock, settings, reminders, before }
    }

    /// Runs until `stop`, and `chain` with it, whenever this node is the one that leads. Where it no longer is, what it is doing ends between two
    /// steps: each is a transaction, and the next leader does what is left.
    pub async fn run(self, chain: AuditChain, nodes: Arc<dyn NodeStore>, stop: CancellationToken) {
        loop {
            let lead = tokio::select! {
                () = stop.cancelled() => return,
                lead = nodes.lead() => lead,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = lead.lost().cancelled() => tracing::warn!("another node may run the timer; this one stops"),
                () = self.turns() => {}
                () = chain.run() => {}
            }
        }
    }

    /// Turn after turn. Trouble is logged and tried again at the next one.
    async fn turns(&self) {
        let mut is_swept = false;
        loop {
            if !is_swept {
                is_swept = self.sweep_orphans().await.unwrap_or_else(|error| {
                    tracing::error!(%error, "blobs of unfinished messages could not be removed");
                    true
                });
            }
            if let Err(error) = self.turn().await {
                tracing::error!(%error, "expiry did not finish; it goes on in a minute");
            }
            sleep(INTERVAL).await;
        }
    }

    /// Everything that is due now.
    pub async fn turn(&self) -> Result<()> {
        let now = self.clock.now();
        match self.store.check_clock(now).await? {
            ClockVerdict::Trusted => self.act(now).await?,
            ClockVerdict::Leapt { trusted, until } => tracing::error!(
                %now, %trusted, %until,
                "the clock has leapt: nothing expires and nobody is reminded until it has held for an hour"
            ),
        }
        // What is doomed has lost its keys before: no clock matters.
        self.remove_doomed().await
    }

    async fn act(&self, now: Timestamp) -> Result<()> {
        let (store, settings) = (&self.store, self.settings.get());
        for organisation in settings.organisations() {
            let closed = organisation.zone.days_earlier(now, organisation.seal.grace_days);
            let whose = settings.rows_of(organisation);
            while !store.expire(whose.clone(), closed, now).await?.is_empty() {}
        }
        store.sweep_sessions(earlier(now, SESSION_IDLE)).await?;
        while store.sweep_drafts(earlier(now, DRAFT_IDLE), now).await? > 0 {}
        self.reminders.turn(&settings, now).await?;
        for organisation in settings.organisations() {
            let shredded = organisation.zone.days_earlier(now, organisation.seal.retention_days);
            let whose = settings.rows_of(organisation);
            while store.forget_transfers(whose.clone(), shredded).await? > 0 {}
        }
        while store.forget(past(&settings, now)).await? > 0 {}
        self.end_unfinished(earlier(now, INTENT_LASTS)).await;
        Ok(())
    }

    /// What a gateway has begun that died costs room, and nothing else: no trouble with it keeps the timer from its work.
    async fn end_unfinished(&self, before: Timestamp) {
        let (blobs, asked) = (self.blobs.clone(), CancellationToken::new());
        let (stop, _asked) = (asked.clone(), asked.drop_guard());
        match blocking(move || blobs.end_unfinished(before, &stop)).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "uploads that nobody had finished were ended"),
            Err(error) => tracing::warn!(%error, "uploads that nobody finished stay behind"),
        }
    }

    async fn remove_doomed(&self) -> Result<()> {
        let (mut removed, mut removal) = (0, None);
        let (mut left, mut trouble) = (HashSet::new(), None);
        loop {
            let mut doomed = self.store.pending_deletion(BATCH + left.len()).await?;
            doomed.retain(|name| !left.contains(name));
            if doomed.is_empty() {
                break;
            }
            if removal.is_none() {
                let blobs = self.blobs.clone();
                removal = blocking(move || blobs.removal()).await?;
            }
            if removal.is_none() {
                tracing::info!("a backup is being made: blobs that were given up stay until it is done");
                break;
            }
            let Removed { gone, left: stay } = self.remove(doomed).await?;
            let is_in_vain = gone.is_empty();
            removed += gone.len();
            self.store.forget_blobs(gone).await?;
            for (name, error) in stay {
                trouble.get_or_insert(error);
                left.insert(name);
            }
            if is_in_vain {
                break;
            }
        }
        if removed > 0 {
            tracing::info!(removed, "blobs that had been given up were removed");
        }
        let Some(error) = trouble else { return Ok(()) };
        let text = format!("{} blobs that were given up cannot be removed yet: {error}", left.len());
        Err(io::Error::new(error.kind(), text).into())
    }

    /// Removes blobs that were written, but whose message never reached its commit, where a crash explains them. Gives
    /// false as long as they may be of another gateway, which has yet to commit them.
    async fn sweep_orphans(&self) -> Result<bool> {
        let mut orphans = Vec::new();
        for batch in self.before.found.chunks(BATCH) {
            orphans.extend(self.store.unreferenced_blobs(batch.to_vec()).await?);
        }
        let written = self.written(orphans.clone()).await?;
        if let (Some(owner), Some(since)) = (&self.before.owner, sweep::undecided(&written, self.clock.now()))
            && self.store.others_at_work(owner, since).await?
        {
            return Ok(false);
        }
        let missing =
            (self.before.named + orphans.len() as u64).saturating_sub(self.before.found.len() as u64);
        if missing > 0 {
            tracing::error!(
                at_least = missing,
                "blobs that rows name are missing; what they held is gone: `zegel check --data` names them"
            );
        }
        if orphans.is_empty() {
            return Ok(true);
        }
        if let Err(reason) = sweep::explain(&written, self.before.alive) {
            tracing::error!(
                blobs = orphans.len(), %reason,
                "blobs that no row names were left alone: `zegel check --data` lists them, `zegel repair leftovers` removes them"
            );
            return Ok(true);
        }
        for blob in &orphans {
            tracing::info!(%blob, "removed: its message was cut off before it was accepted");
        }
        match self.remove(orphans).await?.left.into_iter().next() {
            None => Ok(true),
            Some((_, error)) => Err(error.into()),
        }
    }

    /// When these were written.
    async fn written(&self, names: Vec<BlobName>) -> Result<Vec<Timestamp>> {
        let blobs = self.blobs.clone();
        let look = move || {
            let looks = names.iter().filter_map(|name| blobs.look(name).transpose());
            looks.map(|facts| Ok(facts?.written)).collect()
        };
        blocking(look).await
    }

    /// One that cannot be removed does not keep the others. Stops between two blobs when whoever asked for it is gone.
    async fn remove(&self, names: Vec<BlobName>) -> Result<Removed> {
        let (blobs, asked) = (self.blobs.clone(), CancellationToken::new());
        let (stop, _asked) = (asked.clone(), asked.drop_guard());
        let remove = move || {
            let mut removed = Removed::default();
            for name in names {
                if stop.is_cancelled() {
                    return Err(ErrorKind::Interrupted.into());
                }
                match blobs.remove(&name) {
                    Ok(()) => removed.gone.push(name),
                    Err(error) => removed.left.push((name, error)),
                }
            }
            Ok(removed)
        };
        blocking(remove).await
    }
}

/// What became of blobs that were to be removed.
#[derive(Default)]
struct Removed {
    gone: Vec<BlobName>,
    left: Vec<(BlobName, io::Error)>,
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    Ok(done?)
}

/// What of all organisations has had its time at `now`.
fn past(settings: &Settings, now: Timestamp) -> Forget {
    let (operator, audit_days) = (settings.operator(), settings.admin.audit_days);
    Forget {
        threads: operator.zone.days_earlier(now, THREAD_DAYS),
        audit: (audit_days > 0).then(|| operator.zone.days_earlier(now, audit_days)),
        now,
        tracking: operator.zone.days_earlier(now, settings.admin.tracking_days),
    }
}

#[cfg(test)]
mod tests;
