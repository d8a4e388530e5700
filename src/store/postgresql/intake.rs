//! A message and all that it became, in one go: transfer, queue rows, audit. Called for every message
//! that is accepted, before its 250.

use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::time::sleep;

use super::change::{Change, database};
use super::columns::{Json, Number, Time, number};
use super::lent::Connection;
use super::ordinary::{AGAIN, RESOLVE};
use super::unclear::is_known;
use super::{Postgres, blobs, drafts, items, status};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{Link, QueueId, TransferId};
use crate::store::{
    Acceptance, BodyData, Committed, DeliveryReport, IntakeStore, MessageStore, NewTransfer, Result,
    StoreError,
};

#[async_trait]
impl MessageStore for Postgres {
    async fn commit(&self, mut acceptance: Acceptance) -> Result<Committed> {
        match acceptance.take_plain() {
            Some(mail) if matches!(mail.body.data, BodyData::Inline(_)) => {
                self.keep_ordinary(mail).await?;
                acceptance.events.iter().for_each(Event::log);
                return Ok(Committed { id: acceptance.id });
            }
            large => acceptance.items.extend(large),
        }
        let (id, mark) = (acceptance.id.clone(), Mark::of(&acceptance));
        match (self.write(move |change| commit(change, acceptance).boxed()).await, mark) {
            (Err(lost @ StoreError::Unclear(_)), Some(mark)) => {
                self.find_out(mark, lost).await.map(|()| Committed { id })
            }
            (done, _) => done,
        }
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
pub(super) const RENEW_THREADS: &str = "
    UPDATE threads SET created = greatest(created, $2) WHERE hash = ANY($1)";
/// An earlier message of the same thread may have brought the same hash: its time to live begins anew. In the order of the
/// hashes, so that two messages of one thread wait for each other instead of locking one another out.
pub(super) const INSERT_THREADS: &str = "
    INSERT INTO threads (hash, created) SELECT hash, $2 FROM (SELECT DISTINCT unnest($1::bytea[]) AS hash ORDER BY 1) AS new
    ON CONFLICT (hash) DO UPDATE SET created = greatest(threads.created, excluded.created)";
pub(super) const INSERT_TRANSFER: &str = "
    INSERT INTO transfers
        (id, created, expires, sender, password, automatic, files, language, download_notice, file_names, first_reminder,
         message_id, reply_to, on_behalf_of)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    RETURNING number";
pub(super) const INSERT_RECIPIENT: &str = "
    INSERT INTO transfer_recipients (transfer, number, address, key_packet, key) VALUES ($1, $2, $3, $4, $5)";
pub(super) const INSERT_PART: &str =
    "INSERT INTO parts (transfer, number, blob, size) VALUES ($1, $2, $3, $4)";

/// Everything or nothing: an error undoes what came before it.
pub(super) async fn commit(change: &mut Change, acceptance: Acceptance) -> Result<Committed> {
    if let Some(transfer) = &acceptance.transfer {
        insert_transfer(&change.db, transfer).await?;
    }
    items::insert(&change.db, &acceptance.items, None).await?;
    if let Some(ended) = &acceptance.draft {
        drafts::end(&change.db, ended).await?;
        insert_threads(&change.db, &ended.thread, ended.time).await?;
    }
    change.record_all(acceptance.events).await?;
    Ok(Committed { id: acceptance.id })
}

async fn insert_transfer(db: &Connection, transfer: &NewTransfer) -> Result<()> {
    let row = db
        .one(
            INSERT_TRANSFER,
            &[
                &transfer.id,
                &Time(transfer.created),
                &Time(transfer.expires),
                &transfer.sender,
                &transfer.password,
                &transfer.automatic,
                &Number(transfer.files),
                &transfer.language,
                &transfer.download_notice,
                &transfer.file_names,
                &transfer.first_reminder.map(Time),
                &transfer.message_id,
                &Json(&transfer.reply_to),
                &Json(&transfer.on_behalf_of),
            ],
        )
        .await?;
    let number: i64 = number(&row, "number")?;
    for recipient in &transfer.recipients {
        let (place, (packet, key)) = (Number(recipient.number), db.wrap(&recipient.key_packet)?);
        db.execute(INSERT_RECIPIENT, &[&number, &place, &recipient.address, &packet, &key]).await?;
    }
    let blobs: Vec<_> = transfer.parts.iter().map(|part| part.blob.clone()).collect();
    blobs::named(db, &blobs).await?;
    for part in &transfer.parts {
        db.execute(INSERT_PART, &[&number, &Number(part.number), &part.blob, &Number(part.size)]).await?;
    }
    insert_threads(db, &transfer.thread, transfer.created).await?;
    renew_threads(db, &transfer.answers, transfer.created).await
}

/// A sealed message that is answered keeps its thread alive. A message that was not sealed here begins no thread.
async fn renew_threads(db: &Connection, hashes: &[[u8; 32]], created: Timestamp) -> Result<()> {
    threads(db, RENEW_THREADS, hashes, created).await
}

pub(super) async fn insert_threads(db: &Connection, hashes: &[[u8; 32]], created: Timestamp) -> Result<()> {
    threads(db, INSERT_THREADS, hashes, created).await
}

async fn threads(db: &Connection, statement: &str, hashes: &[[u8; 32]], created: Timestamp) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    let hashes: Vec<&[u8]> = hashes.iter().map(|hash| &hash[..]).collect();
    db.execute(statement, &[&hashes, &Time(created)]).await?;
    Ok(())
}
