//! A message and all that it became, in one go: transfer, queue rows, audit. Called for every message
//! that is accepted, before its 250.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::try_join5;
use tokio::time::sleep;

use super::change::{Change, database, same};
use super::columns::{Time, column};
use super::lent::Connection;
use super::ordinary::{AGAIN, RESOLVE};
use super::unclear::{is_known, is_of_a_row};
use super::{Postgres, audit, drafts, items, new_transfers, status, tracking};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{Link, QueueId, TransferId};
use crate::store::{
    Acceptance, BodyData, Committed, DeliveryReport, IntakeStore, MessageStore, Result, StoreError,
};

#[async_trait]
impl MessageStore for Postgres {
    async fn commit(&self, mut acceptance: Acceptance) -> Result<Committed> {
        match acceptance.take_plain() {
            Some(mail) if matches!(mail.body.data, BodyData::Inline(_)) => {
                if let Some(mail) = self.journalled(mail).await? {
                    self.keep_ordinary(mail).await?;
                }
                acceptance.events.iter().for_each(Event::log);
                return Ok(Committed { id: acceptance.id });
            }
            large => acceptance.items.extend(large),
        }
        acceptance.link_items();
        let (id, mark) = (acceptance.id.clone(), Mark::of(&acceptance));
        match (self.keep_message(acceptance).await, mark) {
            (Err(lost @ StoreError::Unclear(_)), Some(mark)) => self.find_out(mark, lost).await?,
            (done, _) => done?,
        }
        Ok(Committed { id })
    }
}

impl Postgres {
    /// Keeps a message with all that it became, together with those of others. One that ends a draft goes alone: it may find
    /// that the draft was changed, and waits for whoever is behind the same link.
    async fn keep_message(&self, message: Acceptance) -> Result<()> {
        if message.draft.is_some() {
            return self.write_messages(&Arc::new(vec![message]), 0..1).await;
        }
        let (store, octets) = (self.clone(), message.octets());
        let work = move |messages| {
            let store = store.clone();
            async move { store.keep_messages(messages).await }
        };
        self.messages.run(message, octets, work).await
    }

    async fn keep_messages(&self, messages: Vec<Acceptance>) -> Vec<Result<()>> {
        let (count, messages) = (messages.len(), Arc::new(messages));
        match self.write_messages(&messages, 0..count).await {
            Ok(()) => (0..count).map(|_| Ok(())).collect(),
            // One of them cannot be kept; that is no reason to refuse the others.
            Err(error) if count > 1 && is_of_a_row(&error) => {
                let mut results = Vec::new();
                for place in 0..count {
                    results.push(self.write_messages(&messages, place..place + 1).await);
                }
                results
            }
            Err(error) => (0..count).map(|_| Err(same(&error))).collect(),
        }
    }

    /// All or none.
    async fn write_messages(&self, messages: &Arc<Vec<Acceptance>>, which: Range<usize>) -> Result<()> {
        let messages = Arc::clone(messages);
        self.write(move |change| {
            async move { commit(change, messages.get(which).unwrap_or_default()).await }.boxed()
        })
        .await
    }
}

/// A row that a message leaves behind, by which it is found.
#[derive(Clone)]
enum Mark {
    Transfer(TransferId),
    Item(QueueId),
}

impl Mark {
    /// What stays longest.
    fn of(acceptance: &Acceptance) -> Option<Self> {
        let transfer = acceptance.transfer.as_ref().map(|transfer| Self::Transfer(transfer.id.clone()));
        transfer.or_else(|| acceptance.items.first().map(|item| Self::Item(item.id.clone())))
    }

    /// Fails when the row is there; waits for whoever is still putting it in.
    async fn put_in(&self, db: &Connection) -> Result<u64> {
        match self {
            Self::Transfer(id) => db.execute(PROBE_TRANSFER, &[id]).await,
            Self::Item(id) => db.execute(PROBE_ITEM, &[id]).await,
        }
    }
}

impl Postgres {
    /// Whether a message is there though the answer to its commit was lost: to refuse it would make a duplicate.
    async fn find_out(&self, mark: Mark, lost: StoreError) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < RESOLVE {
            sleep(AGAIN).await;
            let mark = mark.clone();
            // Whatever comes of it is undone.
            let probe = self.write(move |change| {
                async move { mark.put_in(&change.db).await.and(Err::<(), _>(StoreError::Changed)) }.boxed()
            });
            match probe.await {
                Err(error) if is_known(&error) => return Ok(()),
                Err(StoreError::Changed) => return Err(database(&lost.to_string())),
                _ => {}
            }
        }
        Err(lost)
    }
}

#[async_trait]
impl IntakeStore for Postgres {
    async fn is_sealed_thread(&self, hashes: Vec<[u8; 32]>) -> Result<bool> {
        if hashes.is_empty() {
            return Ok(false);
        }
        let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
        self.read(move |db| async move { Ok(!db.query(SEALED_THREAD, &[&hashes]).await?.is_empty()) }.boxed())
            .await
    }

    async fn note_delivery_report(&self, link: Link, report: DeliveryReport) -> Result<bool> {
        self.write(move |change| async move { status::report(change, &link, &report).await }.boxed()).await
    }
}

const PROBE_ITEM: &str = "
    INSERT INTO items (id, kind, created, next_attempt, due) VALUES ($1, 'message', 0, 0, 9223372036854775807)";
const PROBE_TRANSFER: &str = "
    INSERT INTO transfers (id, created, expires, password) VALUES ($1, 0, 0, FALSE)";
pub(super) const SEALED_THREAD: &str = "SELECT 1 FROM threads WHERE hash = ANY($1) LIMIT 1";
/// What is said of threads: messages begin them, or answer in some that were begun. An earlier message of the same thread may
/// have brought the same hash: its time to live begins anew. In the order of the hashes, so that two commits wait for each
/// other instead of locking one another out.
///
/// A subquery and not EXISTS, for which PostgreSQL 13 may read the whole table.
pub(super) const THREADS: &str = "
    INSERT INTO threads (hash, created)
    SELECT hash, max(said.created) FROM unnest($1::bytea[], $2::bigint[], $3::boolean[]) AS said (hash, created, begins)
    GROUP BY hash
    HAVING bool_or(begins) OR (SELECT TRUE FROM threads WHERE threads.hash = said.hash)
    ORDER BY hash
    ON CONFLICT (hash) DO UPDATE SET created = greatest(threads.created, excluded.created)";

/// Everything or nothing: an error undoes what came before it. However much there is to keep, it is a handful of statements,
/// and those that need not wait for one another are on their way together.
async fn commit(change: &mut Change, messages: &[Acceptance]) -> Result<()> {
    let db = &change.db;
    for ended in messages.iter().filter_map(|message| message.draft.as_ref()) {
        drafts::end(db, ended).await?;
    }
    let transfers: Vec<_> =
        messages.iter().filter_map(|message| message.transfer.as_ref().zip(Some(&message.id))).collect();
    let items: Vec<_> = messages.iter().flat_map(|message| &message.items).collect();
    let mut events: Vec<_> = messages.iter().flat_map(|message| message.events.iter().cloned()).collect();
    let tracks: Vec<_> = messages.iter().flat_map(Acceptance::all_tracks).collect();
    try_join5(
        new_transfers::insert(db, &transfers),
        items::insert(db, &items, None),
        threads(db, messages),
        tracking::keep(db, &tracks),
        audit::insert(db, &mut events),
    )
    .await?;
    change.log_once_committed(events);
    Ok(())
}

/// A sealed message begins its thread, and keeps those alive in which it answers. A message that was not sealed here begins no
/// thread.
async fn threads(db: &Connection, messages: &[Acceptance]) -> Result<()> {
    let mut said = Vec::new();
    let mut say = |hashes: &[[u8; 32]], time: Timestamp, begins: bool| {
        said.extend(hashes.iter().map(|hash| (hash.to_vec(), Time(time), begins)));
    };
    for message in messages {
        if let Some(transfer) = &message.transfer {
            say(&transfer.thread, transfer.created, true);
            say(&transfer.answers, transfer.created, false);
        }
        if let Some(ended) = &message.draft {
            say(&ended.thread, ended.time, true);
        }
    }
    if said.is_empty() {
        return Ok(());
    }
    let hashes = column(&said, |(hash, ..)| &hash[..]);
    let times = column(&said, |(_, time, _)| *time);
    let begins = column(&said, |(.., begins)| *begins);
    db.execute(THREADS, &[&hashes, &times, &begins]).await?;
    Ok(())
}
