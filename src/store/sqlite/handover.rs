//! Between the journal and the rows. Ordinary mail goes into the journal; rows are for mail that must wait, for
//! everything that belongs to a transfer, and for what is too large. A message is never in neither of them:
//! it is in the database before the journal says that it is done with it.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::{Sqlite, queue, queue_admin, status, tracking};
use crate::clock::Timestamp;
use crate::id::{FolderId, QueueId};
use crate::store::journal::{self, Cleared, Found, Journal, Waiting};
use crate::store::{
    Acceptance, Attempt, AttemptEnd, ClaimShares, Committed, Gauges, Item, QueueEntry, Result,
};

/// For so long a failure of the journal is told: a gateway that gets no mail because of it could not show that it is over.
const TROUBLE_TOLD: Duration = Duration::from_mins(1);

/// What the journal made of an acceptance.
pub(super) enum Kept {
    /// It is there.
    InJournal(Committed),
    /// It is for the database.
    Nowhere(Box<Acceptance>),
}

/// Moves everything that an earlier life left in the journal into rows, due at once.
pub(super) fn recover(db: &mut Connection, found: Found) -> Result<Cleared> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for item in &found.items {
        queue::take_over(&transaction, &Waiting::unclaimed(item.clone()))?;
    }
    tracking::find_again(&transaction, &found.ended)?;
    transaction.commit()?;
    found.clear()
}

impl Sqlite {
    /// Keeps a message in the journal, if it is one for it. What the audit trail says of ordinary mail is in the
    /// service log, not in a table.
    pub(super) async fn journalled(&self, mut acceptance: Acceptance) -> Result<Kept> {
        let Some(journal) = &self.journal else { return Ok(Kept::Nowhere(Box::new(acceptance))) };
        let Some(item) = acceptance.take_plain() else { return Ok(Kept::Nowhere(Box::new(acceptance))) };
        // What is not delivered at once needs a row: while none can be written, nothing is taken in (C05).
        self.due.is_writable(self.writer.run(|_| Ok(()))).await?;
        let kept = journal.keep(item).await;
        if let Err(error) = &kept {
            let mut trouble = self.journal_trouble.lock().unwrap_or_else(PoisonError::into_inner);
            *trouble = Some((Instant::now(), error.to_string()));
        }
        if let Some(item) = kept? {
            acceptance.items.push(item);
            return Ok(Kept::Nowhere(Box::new(acceptance)));
        }
        acceptance.events.iter().for_each(|event| event.log());
        Ok(Kept::InJournal(Committed { id: acceptance.id }))
    }

    /// New mail first, but rows that are due get half of the turns, so that neither waits for the other (H35).
    pub(super) async fn claim(
        &self,
        owner: &FolderId,
        now: Timestamp,
        lease: Timestamp,
        limit: usize,
        mut shares: ClaimShares,
    ) -> Result<Vec<Item>> {
        if self.journal.as_ref().is_some_and(Journal::has_old) {
            self.move_to_rows(false).await?;
        }
        let rows_are_due = self.next_row_due().await?.is_some_and(|due| due <= now);
        let for_rows = if rows_are_due { self.due.share(limit) } else { 0 };
        let mut items = Vec::new();
        if let Some(journal) = &self.journal {
            items = journal.claim(limit - for_rows, &mut shares, owner, lease);
        }
        let left = limit - items.len();
        if rows_are_due && left > 0 {
            let (by, served, asked) = (owner.clone(), self.due.served(), shares.clone());
            let claim =
                self.write(move |change| queue::claim_due(change, &by, (now, lease), left, &asked, &served));
            let claimed = claim.await?;
            self.due.serve(&claimed);
            claimed.iter().for_each(|item| shares.take(&item.organisation));
            items.extend(claimed);
        }
        // The rows that are due may be of organisations that have their share.
        if let Some(journal) = &self.journal {
            items.extend(journal.claim(limit - items.len(), &mut shares, owner, lease));
        }
        Ok(items)
    }

    /// The first moment at which a row can be claimed.
    pub(super) async fn next_row_due(&self) -> Result<Option<Timestamp>> {
        self.due.get(self.readers.read(queue::next_due)).await
    }

    /// Since when mail in the journal can be claimed, if there is any.
    pub(super) fn ready_since(&self) -> Option<Timestamp> {
        let journal = self.journal.as_ref().filter(|journal| journal.has_ready())?;
        journal.figures().1
    }

    /// Records an attempt. What was delivered at once needs no row; the rest gets one with it.
    pub(super) async fn finish(&self, attempt: Attempt) -> Result<AttemptEnd> {
        let Some(journal) = &self.journal else { return self.finish_row(None, attempt).await };
        let _nothing_moves = journal.recording().await;
        let Some(waiting) = journal.find(&attempt.item) else { return self.finish_row(None, attempt).await };
        let item = attempt.item.clone();
        if attempt.delivers_all(waiting.item.envelope.recipients.len()) {
            journal.delivered(item).await?;
            self.behind.add(attempt.tracks);
            attempt.events.iter().for_each(|event| event.log());
            return Ok(AttemptEnd::Recorded);
        }
        let end = self.finish_row(Some(waiting), attempt).await?;
        journal.moved(vec![item]).await?;
        Ok(end)
    }

    async fn finish_row(&self, waiting: Option<Waiting>, attempt: Attempt) -> Result<AttemptEnd> {
        let work = self.write(move |change| {
            if let Some(waiting) = waiting {
                queue::take_over(change.db, &waiting)?;
            }
            if queue::check_claim(change.db, &attempt)? == AttemptEnd::ClaimLost {
                return Ok(AttemptEnd::ClaimLost);
            }
            if let Some(link) = &attempt.notifies {
                status::note_deliveries(change, link, &attempt)?;
            }
            queue::finish_attempt(change, attempt)?;
            Ok(AttemptEnd::Recorded)
        });
        work.await
    }

    /// Makes rows of mail in the journal: of all, or of what has waited long enough.
    pub(super) async fn move_to_rows(&self, all: bool) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let _nothing_ends = journal.moving().await;
        let waiting = journal.take_to_move(all);
        if waiting.is_empty() {
            return Ok(());
        }
        let items: Vec<_> = waiting.iter().map(|waiting| waiting.item.id.clone()).collect();
        let work = self
            .write(move |change| waiting.iter().try_for_each(|waiting| queue::take_over(change.db, waiting)));
        match work.await {
            Ok(()) => journal.moved(items).await,
            Err(error) => {
                journal.not_moved(&items);
                Err(error)
            }
        }
    }

    /// The queue: rows, and what is in the journal of the server.
    pub(super) async fn list(&self) -> Result<Vec<QueueEntry>> {
        self.move_to_rows(true).await?;
        let journalled = match &self.journal {
            Some(_) => Vec::new(),
            None => journal::peek_from(self.journal_folder.clone()).await?,
        };
        Ok(journal::with_rows(&journalled, self.readers.read(queue_admin::list).await?))
    }

    /// Waits while one of these messages, or any, is in the journal of the server, which makes rows of what stays there.
    pub(super) async fn wait_for_rows(&self, items: Option<&[QueueId]>) -> Result<()> {
        self.move_to_rows(true).await?;
        match &self.journal {
            Some(_) => Ok(()),
            None => journal::wait_while_there(&self.journal_folder, items).await,
        }
    }

    /// Why new mail could not be written a moment ago; `None`: it could, or nobody has tried since.
    pub(super) fn journal_trouble(&self) -> Option<String> {
        let trouble = self.journal_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, why) = trouble.as_ref()?;
        (when.elapsed() < TROUBLE_TOLD).then(|| "the journal: ".to_owned() + why)
    }

    /// Counts what has no row.
    pub(super) fn add_journal(&self, gauges: &mut Gauges) {
        let journalled = self.journal.as_ref().map(Journal::gauges).unwrap_or_default();
        journalled.into_iter().for_each(|new| gauges.add_new(new));
    }
}
