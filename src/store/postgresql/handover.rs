//! Between the journal of this node and the rows that all nodes share (`store.journal = "local"`). Ordinary mail goes into the
//! journal; what is not delivered at once becomes a row, and so any node's. A message is never in neither of them: it is
//! committed in the database before the journal says that it is done with it.
//!
//! The keys of mail in the journal are beside it. Those in the blob store are destroyed by others once this node is dead, and
//! what is in its journal is not. So what becomes a row is sealed anew, under a key that nodes share.
//!
//! What must never happen: that a message becomes a row twice, because an answer of the database was lost or this node died
//! before its journal heard of it: another node may have delivered it since. Each leaves its name in `journal_moved`, until the
//! journal has forgotten it.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::change::Change;
use super::columns::{column, get};
use super::lent::Connection;
use super::node_folder::NodeFolder;
use super::ordinary::{AGAIN, RESOLVE};
use super::{Postgres, items, queue, tracking};
use crate::clock::Timestamp;
use crate::id::{FolderId, QueueId};
use crate::secret::keyring::{Destroyed, KeyRef, Keyring};
use crate::store::journal::{self, Cleared, Found, Journal, Waiting};
use crate::store::room::{Disk, DiskShare};
use crate::store::{
    Attempt, AttemptEnd, Body, BodyKeys, Claim, ClaimShares, Gauges, Item, NewItem, QueueEntry, Result,
    StoreError, TrackRow,
};

/// Seals a body anew: from a key beside a journal to one that nodes share.
pub type Reseal = Arc<dyn Fn(&Body) -> io::Result<Body> + Send + Sync>;

/// So many messages become rows in one transaction.
const AT_ONCE: usize = 64;

/// The journal of this node.
pub(super) struct NodeJournal {
    journal: Journal,
    id: FolderId,
    folder: PathBuf,
    ring: Keyring,
    reseal: Reseal,
    /// These became rows, and the journal has forgotten them.
    forgotten: Mutex<Vec<QueueId>>,
}

impl NodeJournal {
    fn forgotten(&self) -> MutexGuard<'_, Vec<QueueId>> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether new mail may have room on its disk.
    fn has_room(&self) -> io::Result<bool> {
        Ok(Disk::at(&self.folder)?.left(DiskShare::Mail) > 0)
    }

    /// These are rows: the journal forgets them.
    async fn moved(&self, items: Vec<QueueId>) -> Result<()> {
        self.journal.moved(items.clone()).await?;
        self.forgotten().extend(items);
        Ok(())
    }

    /// Destroys the keys of mail that is not in the journal any more. What is in it holds its key by itself.
    pub async fn destroy_keys(&self) -> Result<Destroyed> {
        let ring = self.ring.clone();
        blocking(move || destroy_unheld(&ring)).await
    }

    /// Waits until few of its keys are free.
    pub async fn keys_run_low(&self) {
        self.ring.low().await;
    }
}

pub(super) const MARK: &str = "
    INSERT INTO journal_moved (item, journal) SELECT unnest($1::text[]), $2 ON CONFLICT DO NOTHING RETURNING item";
pub(super) const UNMARK: &str = "DELETE FROM journal_moved WHERE item = ANY($1::text[]) AND journal = $2";
pub(super) const UNMARK_ALL: &str = "DELETE FROM journal_moved WHERE journal = $1";

impl Postgres {
    /// From now on new ordinary mail goes into the journal in `folder`, under keys of `ring`. What an earlier life left there
    /// becomes rows first, due at once.
    pub async fn with_journal(self, folder: &NodeFolder, ring: Keyring, reseal: Reseal) -> Result<Self> {
        let path = folder.journal();
        let found = blocking(move || Found::read_to_own(&path)).await?;
        let cleared = self.recover(folder, found, &reseal).await?;
        let journal = NodeJournal {
            journal: blocking(move || cleared.start()).await?,
            id: folder.journal.clone(),
            folder: folder.journal(),
            ring,
            reseal,
            forgotten: Mutex::default(),
        };
        journal.destroy_keys().await?;
        Ok(Self { journal: Some(Arc::new(journal)), ..self })
    }

    /// Beside a node that has its journal in `folder`.
    pub fn beside_journal(self, folder: &NodeFolder) -> Self {
        Self { journal_folder: Some(folder.journal()), ..self }
    }

    /// Makes rows of what is in the journal in `folder`, whose keys are in `ring`, unless a node is at work on it; then its keys
    /// go as well.
    pub async fn drain_journal(&self, folder: &NodeFolder, ring: Keyring, reseal: &Reseal) -> Result<()> {
        let path = folder.journal();
        if !path.exists() {
            return Ok(());
        }
        let Some(found) = blocking(move || Found::read(&path)).await? else { return Ok(()) };
        let _nobody_begins = self.recover(folder, found, reseal).await?;
        blocking(move || destroy_unheld(&ring)).await.map(drop)
    }

    async fn recover(&self, folder: &NodeFolder, mut found: Found, reseal: &Reseal) -> Result<Cleared> {
        let ended = std::mem::take(&mut found.ended);
        self.read(move |db| async move { tracking::find_again(db, &ended).await }.boxed()).await?;
        for items in found.items.chunks(AT_ONCE) {
            let waiting = items.iter().cloned().map(Waiting::unclaimed).collect();
            self.make_rows(&folder.journal, reseal, waiting, Vec::new()).await?;
        }
        if !found.items.is_empty() {
            tracing::info!(
                messages = found.items.len(),
                "mail that was left in the journal of a node is in the queue"
            );
        }
        let cleared = blocking(move || found.clear()).await?;
        let journal = folder.journal.clone();
        self.read(move |db| async move { db.execute(UNMARK_ALL, &[&journal]).await }.boxed()).await?;
        Ok(cleared)
    }

    /// Keeps ordinary mail in the journal of this node. It comes back where it is for the database, sealed for that.
    pub(super) async fn journalled(&self, mail: NewItem) -> Result<Option<NewItem>> {
        let Some(node) = &self.journal else { return Ok(Some(mail)) };
        if !mail.body.key.as_ref().is_some_and(|key| key.is_from(&node.ring)) {
            return Ok(Some(mail));
        }
        // What is not delivered at once needs a row: who is cut off from the database takes nothing in (C05).
        let kept =
            if self.holds_lease() && node.has_room()? { node.journal.keep(mail).await? } else { Some(mail) };
        match kept {
            None => Ok(None),
            Some(mail) => self.resealed(mail, &node.reseal).await.map(Some),
        }
    }

    /// Claims mail in the journal.
    pub(super) fn claim_journalled(
        &self,
        owner: &FolderId,
        until: Timestamp,
        limit: usize,
        shares: &mut ClaimShares,
    ) -> Vec<Item> {
        let Some(node) = &self.journal else { return Vec::new() };
        let lease = self.lease();
        let mut items = node.journal.claim(limit, shares, owner, until);
        items.iter_mut().for_each(|item| item.claim.lease = lease);
        items
    }

    /// Makes rows of what has been in the journal long enough: others may take it.
    pub(super) async fn move_what_waits(&self) -> Result<()> {
        match &self.journal {
            Some(node) if node.journal.has_old() => self.move_to_rows(false).await,
            _ => Ok(()),
        }
    }

    /// Since when mail in the journal can be claimed, if there is any.
    pub(super) fn journal_ready_since(&self) -> Option<Timestamp> {
        let node = self.journal.as_ref().filter(|node| node.journal.has_ready())?;
        node.journal.figures().1
    }

    /// Records an attempt on mail that is in the journal; `None`: it is not. What was delivered at once needs no row; the rest
    /// gets one with it.
    pub(super) async fn finish_journalled(&self, attempt: &Attempt) -> Result<Option<AttemptEnd>> {
        let Some(node) = &self.journal else { return Ok(None) };
        let _nothing_moves = node.journal.recording().await;
        let Some(waiting) = node.journal.find(&attempt.item) else { return Ok(None) };
        if !waiting.is_moving && attempt.delivers_all(waiting.item.envelope.recipients.len()) {
            node.journal.delivered(attempt.item.clone()).await?;
            self.behind.add(attempt.tracks.clone());
            attempt.events.iter().for_each(|event| event.log());
            return Ok(Some(AttemptEnd::Recorded));
        }
        let waiting = Waiting { item: self.resealed(waiting.item, &node.reseal).await?, ..waiting };
        let (journal, end) = (node.id.clone(), attempt.clone());
        let work = self.write(move |change| {
            async move {
                take_over(&change.db, &journal, &[waiting], &[]).await?;
                queue::finish_attempt(change, end).await
            }
            .boxed()
        });
        let end = work.await?;
        node.moved(vec![attempt.item.clone()]).await?;
        Ok(Some(end))
    }

    /// Makes rows of mail in the journal: of all, or of what has waited long enough.
    pub(super) async fn move_to_rows(&self, all: bool) -> Result<()> {
        let Some(node) = &self.journal else { return Ok(()) };
        let _nothing_ends = node.journal.moving().await;
        let _not_compared = self.held.claiming().await;
        let waiting = node.journal.take_to_move(all);
        let mut left = waiting.chunks(AT_ONCE);
        while let Some(some) = left.next() {
            let items: Vec<_> = some.iter().map(|waiting| waiting.item.id.clone()).collect();
            if let Err(error) = self.move_some(node, some.to_vec()).await {
                // What may be rows already is not handed out here: it is moved again, which changes nothing then.
                if error.is_certain() {
                    node.journal.not_moved(&items);
                }
                left.for_each(|some| {
                    let items: Vec<_> = some.iter().map(|waiting| waiting.item.id.clone()).collect();
                    node.journal.not_moved(&items);
                });
                return Err(error);
            }
            node.moved(items).await?;
        }
        Ok(())
    }

    /// Rows that are in delivery here are known as claimed before they are there.
    async fn move_some(&self, node: &NodeJournal, waiting: Vec<Waiting>) -> Result<()> {
        let claimed: Vec<_> = waiting
            .iter()
            .filter_map(|one| {
                Some((one.item.id.clone(), one.claim.clone()?, one.item.envelope.recipients.len()))
            })
            .collect();
        for (item, claim, recipients) in &claimed {
            self.held.add_ordinary(item, claim.token, *recipients);
        }
        let forgotten = std::mem::take(&mut *node.forgotten());
        let done = self.make_rows(&node.id, &node.reseal, waiting, forgotten.clone()).await;
        if let Err(error) = &done {
            node.forgotten().extend(forgotten);
            if error.is_certain() {
                claimed.iter().for_each(|(item, claim, _)| self.held.ended(item, claim.token));
            }
        }
        done
    }

    /// Makes rows, each of them once however often it is tried.
    async fn make_rows(
        &self,
        journal: &FolderId,
        reseal: &Reseal,
        waiting: Vec<Waiting>,
        forgotten: Vec<QueueId>,
    ) -> Result<()> {
        let mut sealed = Vec::with_capacity(waiting.len());
        for one in waiting {
            sealed.push(Waiting { item: self.resealed(one.item, reseal).await?, ..one });
        }
        let (sealed, forgotten, begun) = (Arc::new(sealed), Arc::new(forgotten), Instant::now());
        loop {
            let (journal, sealed, forgotten) = (journal.clone(), Arc::clone(&sealed), Arc::clone(&forgotten));
            let work = self.write(move |change: &mut Change| {
                async move { take_over(&change.db, &journal, &sealed, &forgotten).await }.boxed()
            });
            match work.await {
                Err(StoreError::Unclear(_)) if begun.elapsed() < RESOLVE => sleep(AGAIN).await,
                done => return done,
            }
        }
    }

    /// For a row, which any node may deliver. Fails where no key can be had just now. What is damaged becomes a row that nobody
    /// can open: the worker tells its sender.
    async fn resealed(&self, mail: NewItem, reseal: &Reseal) -> Result<NewItem> {
        let body = match reseal(&mail.body) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.destroy_keys().await?;
                reseal(&mail.body)
            }
            done => done,
        };
        match body {
            Ok(body) => Ok(NewItem { body, ..mail }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(tracking = %mail.id, item = %mail.id, %error, "a message in the journal is damaged");
                Ok(NewItem { body: Body { key: None::<KeyRef>, ..mail.body }, ..mail })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What another process has in its journal here.
    pub(super) async fn journalled_elsewhere(&self) -> Result<Vec<NewItem>> {
        match &self.journal_folder {
            Some(folder) => journal::peek_from(folder.clone()).await,
            None => Ok(Vec::new()),
        }
    }

    /// The queue with what is in the journal of the node here.
    pub(super) async fn with_journalled(
        &self,
        rows: impl Future<Output = Result<Vec<QueueEntry>>> + Send,
    ) -> Result<Vec<QueueEntry>> {
        self.move_to_rows(true).await?;
        let journalled = self.journalled_elsewhere().await?;
        Ok(journal::with_rows(&journalled, rows.await?))
    }

    /// Waits while one of these messages, or any, is in the journal of the node here.
    pub(super) async fn wait_for_rows(&self, items: Option<&[QueueId]>) -> Result<()> {
        self.move_to_rows(true).await?;
        match &self.journal_folder {
            Some(folder) => journal::wait_while_there(folder, items).await,
            None => Ok(()),
        }
    }

    /// Counts what has no row.
    pub(super) fn add_journal(&self, gauges: &mut Gauges) {
        let Some(node) = &self.journal else { return };
        node.journal.gauges().into_iter().for_each(|new| gauges.add_new(new));
    }

    /// This node stops: others have what is in its journal.
    pub(super) async fn leave_no_journal(&self) {
        let Some(node) = &self.journal else { return };
        let left = match self.move_to_rows(true).await {
            Ok(()) => node.destroy_keys().await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = left {
            tracing::error!(%error, "mail stays in the journal of this node until it is started again");
        }
    }
}

/// Puts in what comes from a journal, as it is there, unless that was done before; and takes away the names of what the journal
/// has forgotten.
async fn take_over(
    db: &Connection,
    journal: &FolderId,
    waiting: &[Waiting],
    forgotten: &[QueueId],
) -> Result<()> {
    if !forgotten.is_empty() {
        db.execute(UNMARK, &[&forgotten, journal]).await?;
    }
    let names = column(waiting, |one| &one.item.id);
    let new = db.query(MARK, &[&names, journal]).await?;
    let new = new.iter().map(|row| get(row, "item")).collect::<Result<HashSet<QueueId>>>()?;
    let new: Vec<_> = waiting.iter().filter(|one| new.contains(&one.item.id)).collect();
    let free: Vec<_> = new.iter().filter(|one| one.claim.is_none()).map(|one| &one.item).collect();
    let claimed: Vec<_> = new.iter().filter(|one| one.claim.is_some()).map(|one| &one.item).collect();
    let tracks: Vec<_> = new.iter().flat_map(|one| TrackRow::queued(&one.item, &one.item.track)).collect();
    tracking::keep(db, &tracks).await?;
    items::insert(db, &free, None).await?;
    let claims = new.iter().filter_map(|one| one.claim.as_ref());
    let claim: Option<&Claim> = claims.max_by_key(|claim| claim.until);
    items::insert(db, &claimed, claim).await
}

fn destroy_unheld(ring: &Keyring) -> Result<Destroyed> {
    match ring.unheld()? {
        unused if unused.is_empty() => Ok(Destroyed::All),
        unused => Ok(ring.destroy(&unused)?),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}
