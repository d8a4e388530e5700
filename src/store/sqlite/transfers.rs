//! Transfers: what is known of them, and their end. At expiry the keys go, in one commit with the sessions
//! that hold them; the blobs, worthless from then on, are given up to the sweeper (C25).

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{Json, Octets, Time, limit};
use super::writer::Change;
use super::{Sqlite, limits};
use crate::audit::{Action, EventResult, Initiator};
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::store::retention::TRANSFERS_AT_ONCE;
use crate::store::{Bounce, Part, Recipient, Result, Transfer, TransferAdmin, TransferStore, Whose};

#[async_trait]
impl TransferStore for Sqlite {
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>> {
        self.readers.read(move |db| find(db, &id)).await
    }
}

#[async_trait]
impl TransferAdmin for Sqlite {
    async fn transfers(&self) -> Result<Vec<Transfer>> {
        self.readers.read(list).await
    }

    async fn transfers_of(&self, mailbox: String) -> Result<Vec<Transfer>> {
        self.readers.read(move |db| list_of(db, &mailbox)).await
    }
}

pub(super) const TRANSFER: &str = "SELECT * FROM transfers WHERE id = ?1";
pub(super) const OF_MAILBOX: [&str; 2] = [
    "SELECT number FROM transfers WHERE lower(sender) = ?1",
    "SELECT transfer FROM transfer_recipients WHERE lower(address) = ?1",
];
/// Those that may be, each out of an index of the few that are spelled oddly, or that have authors: these are lists, in JSON.
const PERHAPS_OF_MAILBOX: [&str; 3] = [
    r#"SELECT number FROM transfers WHERE ?1 <> '' AND (sender GLOB '*[^!-~]*' OR instr(sender, '"'))"#,
    r#"SELECT transfer FROM transfer_recipients WHERE ?1 <> '' AND (address GLOB '*[^!-~]*' OR instr(address, '"'))"#,
    r"SELECT number FROM (
        SELECT number, lower(coalesce(reply_to, '') || coalesce(on_behalf_of, '')) AS authors
        FROM transfers WHERE reply_to IS NOT NULL OR on_behalf_of IS NOT NULL)
     WHERE instr(authors, ?1) OR authors GLOB '*[^ -~]*' OR instr(authors, '\')",
];
pub(super) const NUMBERED: &str = "SELECT * FROM transfers WHERE number = ?1";
pub(super) const RECIPIENTS: &str = "SELECT * FROM transfer_recipients WHERE transfer = ?1 ORDER BY number";
pub(super) const PARTS: &str = "SELECT number, blob, size FROM parts WHERE transfer = ?1 ORDER BY number";
pub(super) const EXPIRED: &str = "
    SELECT number, id FROM transfers
    WHERE shredded IS NULL AND expires <= ?1 AND coalesce(instr(?3, char(10) || organisation || char(10)) > 0, 0) = ?4
    ORDER BY expires LIMIT ?2";
/// The order is the promise: keys, then what they were unwrapped into, then the blobs.
pub(super) const SHRED: [&str; 4] = [
    "UPDATE transfer_recipients SET key_packet = NULL WHERE transfer = ?1",
    "DELETE FROM sessions WHERE transfer = ?1",
    "INSERT INTO doomed (blob) SELECT blob FROM parts WHERE transfer = ?1",
    "DELETE FROM parts WHERE transfer = ?1",
];
pub(super) const SHREDDED: &str = "UPDATE transfers SET shredded = ?2 WHERE number = ?1";

/// One transfer with its recipients and parts.
pub(super) fn find(db: &Connection, id: &TransferId) -> Result<Option<Transfer>> {
    let found = db.prepare_cached(TRANSFER)?.query_row([id], transfer).optional()?;
    found
        .map(|(number, transfer)| {
            Ok(Transfer { recipients: recipients(db, number)?, parts: parts(db, number)?, ..transfer })
        })
        .transpose()
}

/// Every transfer without its parts, newest first.
pub(super) fn list(db: &Connection) -> Result<Vec<Transfer>> {
    let mut transfers = db.prepare_cached("SELECT * FROM transfers ORDER BY number DESC")?;
    let rows = transfers.query_map([], transfer)?;
    rows.map(|row| {
        let (number, transfer) = row?;
        Ok(Transfer { recipients: recipients(db, number)?, ..transfer })
    })
    .collect()
}

/// Those that may be this mailbox's, newest first.
fn list_of(db: &Connection, mailbox: &str) -> Result<Vec<Transfer>> {
    let mut numbers = BTreeSet::<i64>::new();
    for statement in OF_MAILBOX.iter().chain(&PERHAPS_OF_MAILBOX) {
        let mut found = db.prepare_cached(statement)?;
        let found = found.query_map([mailbox], |row| row.get::<_, i64>(0))?;
        numbers.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    let mut found = db.prepare_cached(NUMBERED)?;
    let one = |number| {
        let (_, transfer) = found.query_row([number], transfer)?;
        Ok(Transfer { recipients: recipients(db, number)?, ..transfer })
    };
    numbers.into_iter().rev().map(one).collect()
}

fn transfer(row: &Row<'_>) -> rusqlite::Result<(i64, Transfer)> {
    let transfer = Transfer {
        id: row.get("id")?,
        organisation: row.get("organisation")?,
        created: row.get::<_, Time>("created")?.0,
        expires: row.get::<_, Time>("expires")?.0,
        sender: row.get("sender")?,
        message_id: row.get("message_id")?,
        reply_to: row.get::<_, Json<_>>("reply_to")?.0,
        on_behalf_of: row.get::<_, Json<_>>("on_behalf_of")?.0,
        password: row.get("password")?,
        automatic: row.get("automatic")?,
        language: row.get("language")?,
        download_notice: row.get("download_notice")?,
        file_names: row.get("file_names")?,
        parts: Vec::new(),
        files: row.get("files")?,
        generation: row.get("generation")?,
        recipients: Vec::new(),
    };
    Ok((row.get("number")?, transfer))
}

pub(super) fn recipients(db: &Connection, transfer: i64) -> Result<Vec<Recipient>> {
    let mut recipients = db.prepare_cached(RECIPIENTS)?;
    let rows = recipients.query_map([transfer], |row| {
        let time = |column| row.get::<_, Option<Time>>(column).map(|time| time.map(|time| time.0));
        Ok(Recipient {
            number: row.get("number")?,
            address: row.get("address")?,
            key_packet: row.get("key_packet")?,
            tries: row.get("tries")?,
            locked_until: time("locked_until")?,
            first_notified: time("first_notified")?.or(time("notified")?),
            notified: time("notified")?,
            bounced: bounced(row)?,
            opened: time("opened")?,
            recalled: time("recalled")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn bounced(row: &Row<'_>) -> rusqlite::Result<Option<Bounce>> {
    let (time, reason): (Option<Time>, Option<String>) = (row.get("bounced")?, row.get("bounce_reason")?);
    let cause = row.get::<_, Option<_>>("bounce_cause")?.unwrap_or_default();
    Ok(time.map(|time| Bounce { time: time.0, cause, reason: reason.unwrap_or_default() }))
}

fn parts(db: &Connection, transfer: i64) -> Result<Vec<Part>> {
    let mut parts = db.prepare_cached(PARTS)?;
    let rows = parts.query_map([transfer], |row| {
        let size = row.get::<_, Octets>("size")?.0;
        Ok(Part { number: row.get("number")?, blob: row.get("blob")?, size })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Ends transfers whose date has come, the oldest first; call again while it gives some. Limits that no
/// longer limit anything go on the same round.
pub(super) fn expire(
    change: &mut Change<'_>,
    whose: &Whose,
    closed: Timestamp,
    now: Timestamp,
) -> Result<Vec<TransferId>> {
    limits::sweep(change.db, now)?;
    let (lines, (_, is_listed)) = (whose.lines(), whose.listed());
    let due = params![Time(closed), limit(TRANSFERS_AT_ONCE), lines, is_listed];
    let expired = change
        .db
        .prepare_cached(EXPIRED)?
        .query_map(due, |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, TransferId)>>>()?;
    for (number, id) in &expired {
        shred(change, *number, now)?;
        change.record(Initiator::zegel().event(now, Action::Expire, id.to_string(), EventResult::Ok))?;
    }
    Ok(expired.into_iter().map(|(_, id)| id).collect())
}

/// Destroys every key of a transfer, and gives up its blobs.
pub(super) fn shred(change: &mut Change<'_>, transfer: i64, now: Timestamp) -> Result<()> {
    for step in SHRED {
        change.db.prepare_cached(step)?.execute([transfer])?;
    }
    change.db.prepare_cached(SHREDDED)?.execute(params![transfer, Time(now)])?;
    change.shredded = true;
    Ok(())
}
