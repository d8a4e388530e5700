//! Ordinary mail: taken in and delivered by the hundred a second, so callers side by side share one statement, which is its own
//! transaction. What the audit trail says of it is in the service log, not in a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::time::sleep;

use super::change::same;
use super::columns::{Number, get};
use super::unclear::{is_lost, is_of_a_row};
use super::{Postgres, items};
use crate::clock::later;
use crate::id::QueueId;
use crate::store::{BodyData, Claim, NewItem, Result, StoreError};

/// How long a claim lasts that a mail is born with: as long as the worker's, with time to be handed out.
const LEASE: Duration = Duration::from_hours(2);
/// How long a statement is tried again whose answer was lost with its connection, and the pause between.
pub(super) const RESOLVE: Duration = Duration::from_secs(5);
pub(super) const AGAIN: Duration = Duration::from_millis(250);

/// The end of deliveries to everybody, by item and token. What is not deleted was not ours any more, or is gone.
pub(super) const DELIVERED: &str = "
    WITH held AS (
        SELECT number FROM items JOIN unnest($1::text[], $2::bigint[]) AS ended (id, token) USING (id, token)
        WHERE claimed AND owner = $3 ORDER BY number FOR UPDATE OF items),
    gone AS (DELETE FROM items USING held WHERE items.number = held.number RETURNING id, blob),
    given_up AS (
        INSERT INTO doomed (blob) SELECT blob FROM gone WHERE blob IS NOT NULL ON CONFLICT DO NOTHING)
    SELECT id FROM gone";

impl Postgres {
    /// Keeps a mail, together with those of others. Only for a body that rides in its row.
    pub(super) async fn keep_ordinary(&self, mail: NewItem) -> Result<()> {
        let octets = match &mail.body.data {
            BodyData::Inline(body) => body.len(),
            BodyData::Blob(_) => 0,
        };
        let store = self.clone();
        let work = move |mails| {
            let store = store.clone();
            async move { store.keep_batch(mails).await }
        };
        self.new_mail.run(mail, octets, work).await
    }

    /// Ends the claim on a mail that was delivered to everybody; `false`: it is not held by this claim.
    pub(super) async fn end_ordinary(&self, item: QueueId, token: u64) -> Result<bool> {
        let store = self.clone();
        let work = move |ended| {
            let store = store.clone();
            async move { store.end_batch(ended).await }
        };
        self.delivered.run((item, token), 0, work).await
    }

    async fn keep_batch(&self, mails: Vec<NewItem>) -> Vec<Result<()>> {
        let count = mails.len();
        let Err((error, mails)) = self.keep_together(mails).await else {
            return (0..count).map(|_| Ok(())).collect();
        };
        if count == 1 || !is_of_a_row(&error) {
            return mails.iter().map(|_| Err(same(&error))).collect();
        }
        // One of them cannot be kept; that is no reason to refuse the others.
        let mut results = Vec::new();
        for mail in mails {
            results.push(self.keep_together(vec![mail]).await.map_err(|(error, _)| error));
        }
        results
    }

    /// All or none.
    async fn keep_together(
        &self,
        mails: Vec<NewItem>,
    ) -> std::result::Result<(), (StoreError, Vec<NewItem>)> {
        let _not_compared = self.held.claiming().await;
        let lease = self.lease();
        let room = if self.holds_lease() { self.held.room_for(&mails) } else { None };
        let born = room.zip(mails.iter().map(|mail| mail.created).max()).map(|(room, created)| {
            (room, Claim { owner: self.node.clone(), token: 1, until: later(created, LEASE), lease })
        });
        let (mails, asked) = (Arc::new(mails), Arc::new(AtomicBool::new(false)));
        let done = self.insert_surely(&mails, born.as_ref().map(|(_, claim)| claim), &asked).await;
        let mails = Arc::unwrap_or_clone(mails);
        match (done, &born) {
            (Ok(()), Some((room, claim))) => self.held.add_ready(mails, claim, *room),
            (Ok(()), None) => self.due.changed(),
            (Err(error), _) => {
                if asked.load(Ordering::Relaxed) && is_lost(&error) {
                    // What became of them is found out later.
                    self.held.doubt();
                }
                return Err((error, mails));
            }
        }
        Ok(())
    }

    /// A commit whose answer was lost may have happened. Its mails are looked for, and what is not there is put in again: to
    /// refuse them would make duplicates. `asked`: the database has been told of them.
    async fn insert_surely(
        &self,
        mails: &Arc<Vec<NewItem>>,
        claim: Option<&Claim>,
        asked: &Arc<AtomicBool>,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut done = self.insert(mails, claim, asked).await;
        let mut is_again = false;
        while let Err(error) = &done
            && asked.load(Ordering::Relaxed)
            // While the first statement is still at work, another may find a mail that was not there a moment ago.
            && (is_lost(error) || is_again && is_of_a_row(error))
            && begun.elapsed() < RESOLVE
        {
            is_again = true;
            sleep(AGAIN).await;
            done = self.insert(mails, claim, asked).await;
        }
        done
    }

    async fn insert(
        &self,
        mails: &Arc<Vec<NewItem>>,
        claim: Option<&Claim>,
        asked: &Arc<AtomicBool>,
    ) -> Result<()> {
        let (mails, claim, asked) = (Arc::clone(mails), claim.cloned(), Arc::clone(asked));
        self.read(move |db| {
            async move {
                match asked.swap(true, Ordering::Relaxed) {
                    false => items::insert(db, &mails, claim.as_ref()).await,
                    true => items::insert(db, &items::missing(db, &mails).await?, claim.as_ref()).await,
                }
            }
            .boxed()
        })
        .await
    }

    async fn end_batch(&self, ended: Vec<(QueueId, u64)>) -> Vec<Result<bool>> {
        let (items, tokens): (Vec<_>, Vec<_>) =
            ended.iter().map(|(item, token)| (item.clone(), Number(*token))).unzip();
        let owner = self.node.clone();
        let work = self.read(move |db| {
            async move {
                let rows = db.query(DELIVERED, &[&items, &tokens, &owner]).await?;
                rows.iter().map(|row| get(row, "id")).collect::<Result<Vec<QueueId>>>()
            }
            .boxed()
        });
        match work.await {
            Ok(gone) => ended.iter().map(|(item, _)| Ok(gone.contains(item))).collect(),
            Err(error) => ended.iter().map(|_| Err(same(&error))).collect(),
        }
    }
}
