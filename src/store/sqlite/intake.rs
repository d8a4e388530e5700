//! A message and all that it became, in one go: transfer, queue rows, audit. Called for every message
//! that is accepted, before its 250.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Json, Octets, Time};
use super::handover::Kept;
use super::writer::Change;
use super::{Sqlite, drafts, queue, status, tracking};
use crate::clock::Timestamp;
use crate::id::{Link, QueueId};
use crate::store::room::DiskShare;
use crate::store::{Acceptance, Committed, DeliveryReport, IntakeStore, MessageStore, NewTransfer, Result};

#[async_trait]
impl MessageStore for Sqlite {
    async fn commit(&self, acceptance: Acceptance) -> Result<Committed> {
        self.check_room(DiskShare::Mail).await?;
        let acceptance = match self.journalled(acceptance).await? {
            Kept::InJournal(committed) => return Ok(committed),
            Kept::Nowhere(acceptance) => *acceptance,
        };
        self.write(move |change| commit(change, acceptance)).await
    }
}

#[async_trait]
impl IntakeStore for Sqlite {
    async fn is_sealed_thread(&self, hashes: Vec<[u8; 32]>) -> Result<bool> {
        if hashes.is_empty() {
            return Ok(false);
        }
        self.readers.read(move |db| is_sealed_thread(db, &hashes)).await
    }

    async fn note_delivery_report(&self, link: Link, report: DeliveryReport) -> Result<bool> {
        self.write(move |change| status::report(change, &link, &report, None)).await
    }
}

pub(super) const SEALED_THREAD: &str = "SELECT 1 FROM threads WHERE hash = ?1";
pub(super) const RENEW_THREAD: &str = "UPDATE threads SET created = max(created, ?2) WHERE hash = ?1";

/// Everything or nothing: an error undoes what came before it.
pub(super) fn commit(change: &mut Change<'_>, mut acceptance: Acceptance) -> Result<Committed> {
    acceptance.link_items();
    if let Some(transfer) = &acceptance.transfer {
        insert_transfer(change.db, transfer, &acceptance.id)?;
    }
    acceptance.tracks.iter().try_for_each(|row| tracking::keep(change.db, row))?;
    for item in &acceptance.items {
        queue::insert(change.db, item)?;
    }
    if let Some(ended) = &acceptance.draft {
        drafts::end(change, ended)?;
        insert_threads(change.db, &ended.thread, ended.time)?;
    }
    for event in acceptance.events {
        change.record(event)?;
    }
    Ok(Committed { id: acceptance.id })
}

/// Whether any of these messages was sealed, or belongs to a thread in which one was.
fn is_sealed_thread(db: &Connection, hashes: &[[u8; 32]]) -> Result<bool> {
    let mut known = db.prepare_cached(SEALED_THREAD)?;
    for hash in hashes {
        if known.query_row([hash], |_| Ok(())).optional()?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn insert_transfer(db: &Connection, transfer: &NewTransfer, message: &QueueId) -> Result<()> {
    let created = Time(transfer.created);
    db.prepare_cached(
        "INSERT INTO transfers
            (id, created, expires, sender, password, automatic, files, language, download_notice, file_names,
             first_reminder, message_id, reply_to, on_behalf_of, tracking, organisation, generation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        transfer.id,
        created,
        Time(transfer.expires),
        transfer.sender,
        transfer.password,
        transfer.automatic,
        transfer.files,
        transfer.language,
        transfer.download_notice,
        transfer.file_names,
        transfer.first_reminder.map(Time),
        transfer.message_id,
        Json(&transfer.reply_to),
        Json(&transfer.on_behalf_of),
        message,
        transfer.organisation,
        transfer.generation,
    ])?;
    let number = db.last_insert_rowid();

    let mut insert = db.prepare_cached(
        "INSERT INTO transfer_recipients (transfer, number, address, key_packet) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for recipient in &transfer.recipients {
        insert.execute(params![number, recipient.number, recipient.address, recipient.key_packet])?;
    }
    let mut insert =
        db.prepare_cached("INSERT INTO parts (transfer, number, blob, size) VALUES (?1, ?2, ?3, ?4)")?;
    for part in &transfer.parts {
        insert.execute(params![number, part.number, part.blob, Octets(part.size)])?;
    }
    insert_threads(db, &transfer.thread, transfer.created)?;
    renew_threads(db, &transfer.answers, transfer.created)
}

/// A sealed message that is answered keeps its thread alive. A message that was not sealed here begins no thread.
fn renew_threads(db: &Connection, hashes: &[[u8; 32]], created: Timestamp) -> Result<()> {
    let mut renew = db.prepare_cached(RENEW_THREAD)?;
    for hash in hashes {
        renew.execute(params![hash, Time(created)])?;
    }
    Ok(())
}

/// An earlier message of the same thread may have brought the same hash: its time to live begins anew.
fn insert_threads(db: &Connection, hashes: &[[u8; 32]], created: Timestamp) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO threads (hash, created) VALUES (?1, ?2)
         ON CONFLICT (hash) DO UPDATE SET created = max(created, ?2)",
    )?;
    for hash in hashes {
        insert.execute(params![hash, Time(created)])?;
    }
    Ok(())
}
