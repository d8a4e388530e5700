//! Transfers: what is known of them, and their end. At expiry the keys go, in one commit with the sessions
//! that hold them; the blobs, worthless from then on, are given up to the sweeper (C25).

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::Postgres;
use super::change::Change;
use super::columns::{Json, Number, Time, get, number, time, time_or_none};
use super::lent::Connection;
use crate::clock::Timestamp;
use crate::id::{BlobName, Link, TransferId};
use crate::secret::keyring::KeyId;
use crate::store::{Bounce, Part, Recipient, Result, Transfer, TransferAdmin, TransferStore};

#[async_trait]
impl TransferStore for Postgres {
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>> {
        let found = self.read(move |db| find(db, id).boxed()).await?;
        let Some((mut transfer, keys)) = found else { return Ok(None) };
        for (recipient, key) in transfer.recipients.iter_mut().zip(keys) {
            if let (Some(sealed), Some(key)) = (&recipient.key_packet, key) {
                recipient.key_packet = self.unwrap(sealed, key).await?;
            }
        }
        Ok(Some(transfer))
    }
}

#[async_trait]
impl TransferAdmin for Postgres {
    /// Page after page, so that neither the database's patience nor ours ends with many of them.
    async fn transfers(&self) -> Result<Vec<Transfer>> {
        let mut all = Vec::new();
        let mut before = i64::MAX;
        loop {
            let rows = self.read(move |db| async move { db.query(PAGE, &[&before]).await }.boxed()).await?;
            let Some(last) = rows.last() else { return Ok(all) };
            before = number(last, "transfer")?;
            all.extend(assembled(&rows)?);
        }
    }

    async fn transfers_of(&self, mailbox: String) -> Result<Vec<Transfer>> {
        let mut numbers = BTreeSet::<i64>::new();
        for statement in OF_MAILBOX.iter().chain(PERHAPS_OF_MAILBOX) {
            let mailbox = mailbox.clone();
            let rows =
                self.read(move |db| async move { db.query(statement, &[&mailbox]).await }.boxed()).await?;
            numbers.extend(rows.iter().map(|row| number(row, "number")).collect::<Result<Vec<i64>>>()?);
        }
        let numbers: Vec<i64> = numbers.into_iter().rev().collect();
        let mut all = Vec::with_capacity(numbers.len());
        for some in numbers.chunks(AT_ONCE) {
            let some = some.to_vec();
            let rows = self.read(move |db| async move { db.query(NUMBERED, &[&some]).await }.boxed()).await?;
            all.extend(assembled(&rows)?);
        }
        Ok(all)
    }
}

/// Transfers that are read in one statement.
const AT_ONCE: usize = 1000;

macro_rules! select_transfers {
    ($parts_and_rest:literal) => {
        concat!(
            "
    SELECT t.number AS transfer, t.id, t.organisation, t.created, t.expires, t.sender, t.message_id, t.reply_to, t.on_behalf_of, t.password,
        t.automatic, t.language, t.download_notice, t.file_names, t.files, t.generation,
        r.number, r.address, r.key_packet, r.key, r.tries, r.locked_until, r.first_notified, r.notified, r.bounced,
        r.bounce_reason, r.bounce_cause, r.opened,
        r.recalled, ",
            $parts_and_rest
        )
    };
}

/// A transfer with its recipients, a row for each; its parts are in the row of the first. One statement, so that whoever
/// reads a key reads the parts that it opens.
pub(super) const TRANSFER: &str = select_transfers!(
    "p.numbers, p.blobs, p.sizes
    FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    LEFT JOIN LATERAL (
        SELECT array_agg(number ORDER BY number) AS numbers, array_agg(blob ORDER BY number) AS blobs,
            array_agg(size ORDER BY number) AS sizes
        FROM parts WHERE transfer = t.number AND r.number = 1) p ON TRUE
    WHERE t.id = $1 ORDER BY r.number"
);
/// The same of the newest before `$1`, without parts.
pub(super) const PAGE: &str = select_transfers!(
    "NULL::bigint[] AS numbers, NULL::text[] AS blobs, NULL::bigint[] AS sizes
    FROM (SELECT * FROM transfers WHERE number < $1 ORDER BY number DESC LIMIT 1000) t
    JOIN transfer_recipients r ON r.transfer = t.number
    ORDER BY t.number DESC, r.number"
);
pub(super) const OF_MAILBOX: &[&str] = &[
    r#"SELECT number FROM transfers WHERE lower(sender COLLATE "C") = $1"#,
    r#"SELECT transfer AS number FROM transfer_recipients WHERE lower(address COLLATE "C") = $1"#,
];
/// Those that may be, each out of an index of the few that are spelled oddly, or that have authors: these are lists, in JSON.
const PERHAPS_OF_MAILBOX: &[&str] = &[
    r#"SELECT number FROM transfers WHERE $1 <> '' AND sender COLLATE "C" ~ '[^!-~]|"'"#,
    r#"SELECT transfer AS number FROM transfer_recipients WHERE $1 <> '' AND address COLLATE "C" ~ '[^!-~]|"'"#,
    r#"SELECT number FROM (
        SELECT number, lower((coalesce(reply_to, '') || coalesce(on_behalf_of, '')) COLLATE "C") AS authors
        FROM transfers WHERE reply_to IS NOT NULL OR on_behalf_of IS NOT NULL) AS lists
     WHERE strpos(authors, $1) > 0 OR authors ~ '[^ -~]' OR strpos(authors, chr(92)) > 0"#,
];
pub(super) const NUMBERED: &str = select_transfers!(
    "NULL::bigint[] AS numbers, NULL::text[] AS blobs, NULL::bigint[] AS sizes
    FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.number = ANY($1) ORDER BY t.number DESC, r.number"
);
pub(super) const RECIPIENTS: &str = "
    SELECT number, address, key_packet, key, tries, locked_until, first_notified, notified, bounced, bounce_reason,
        bounce_cause, opened, recalled
    FROM transfer_recipients WHERE transfer = $1 ORDER BY number";
pub(super) const LOCK: &str = "SELECT number FROM transfers WHERE id = $1 FOR NO KEY UPDATE";
pub(super) const LOCK_LINK: &str = "
    SELECT r.transfer FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = $1 AND r.number = $2 FOR NO KEY UPDATE OF r";
/// The order is the promise: keys, then what they were unwrapped into, then the blobs.
pub(super) const SHRED: [&str; 4] = [
    "UPDATE transfer_recipients SET key_packet = NULL, key = NULL
     WHERE transfer = ANY($1) AND (key_packet IS NOT NULL OR key IS NOT NULL)",
    "DELETE FROM sessions WHERE transfer = ANY($1)",
    "INSERT INTO doomed (blob) SELECT blob FROM parts WHERE transfer = ANY($1) ON CONFLICT DO NOTHING",
    "DELETE FROM parts WHERE transfer = ANY($1)",
];
pub(super) const SHREDDED: &str = "UPDATE transfers SET shredded = $2 WHERE number = ANY($1)";

/// One transfer with its recipients and parts, and the names of the keys that the recipients' key packets are sealed under.
async fn find(db: &Connection, id: TransferId) -> Result<Option<(Transfer, Vec<Option<KeyId>>)>> {
    let rows = db.query(TRANSFER, &[&id]).await?;
    let keys = rows.iter().map(|row| get(row, "key")).collect::<Result<_>>()?;
    Ok(assembled(&rows)?.pop().map(|transfer| (transfer, keys)))
}

/// Locks a transfer, as all must who change several of its rows; gives its number.
pub(super) async fn lock(db: &Connection, id: &TransferId) -> Result<Option<i64>> {
    db.row(LOCK, &[id]).await?.map(|row| number(&row, "number")).transpose()
}

/// Locks one recipient of a transfer, as all must who change what belongs to this link alone; gives the number of the
/// transfer. What is read after that is of after the lock. Who has locked an item may not lock its link: the other
/// order is that of recall.
pub(super) async fn lock_link(db: &Connection, link: &Link) -> Result<Option<i64>> {
    let row = db.row(LOCK_LINK, &[&link.transfer, &Number(link.recipient)]).await?;
    row.map(|row| number(&row, "transfer")).transpose()
}

/// Transfers, of a row for each recipient; those of one transfer follow each other.
fn assembled(rows: &[Row]) -> Result<Vec<Transfer>> {
    let mut found: Vec<Transfer> = Vec::new();
    let mut current = None;
    for row in rows {
        let number = number::<i64>(row, "transfer")?;
        if current != Some(number) {
            found.push(transfer(row)?);
            current = Some(number);
        }
        if let Some(last) = found.last_mut() {
            last.recipients.push(recipient(row)?);
        }
    }
    Ok(found)
}

fn transfer(row: &Row) -> Result<Transfer> {
    Ok(Transfer {
        id: get(row, "id")?,
        organisation: get(row, "organisation")?,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
        sender: get(row, "sender")?,
        message_id: get(row, "message_id")?,
        reply_to: get::<Json<_>>(row, "reply_to")?.0,
        on_behalf_of: get::<Json<_>>(row, "on_behalf_of")?.0,
        password: get(row, "password")?,
        automatic: get(row, "automatic")?,
        language: get(row, "language")?,
        download_notice: get(row, "download_notice")?,
        file_names: get(row, "file_names")?,
        parts: parts(row)?,
        files: number(row, "files")?,
        generation: number(row, "generation")?,
        recipients: Vec::new(),
    })
}

fn parts(row: &Row) -> Result<Vec<Part>> {
    let numbers: Option<Vec<Number<u32>>> = get(row, "numbers")?;
    let blobs: Option<Vec<BlobName>> = get(row, "blobs")?;
    let sizes: Option<Vec<Number<u64>>> = get(row, "sizes")?;
    let places = numbers.unwrap_or_default().into_iter().zip(sizes.unwrap_or_default());
    let parts = places.zip(blobs.unwrap_or_default());
    Ok(parts.map(|((number, size), blob)| Part { number: number.0, blob, size: size.0 }).collect())
}

/// The recipients of a transfer as they are now.
pub(super) async fn recipients(db: &Connection, transfer: i64) -> Result<Vec<Recipient>> {
    db.query(RECIPIENTS, &[&transfer]).await?.iter().map(recipient).collect()
}

fn recipient(row: &Row) -> Result<Recipient> {
    Ok(Recipient {
        number: number(row, "number")?,
        address: get(row, "address")?,
        key_packet: key_packet(row)?,
        tries: number(row, "tries")?,
        locked_until: time_or_none(row, "locked_until")?,
        first_notified: time_or_none(row, "first_notified")?.or(time_or_none(row, "notified")?),
        notified: time_or_none(row, "notified")?,
        bounced: bounced(row)?,
        opened: time_or_none(row, "opened")?,
        recalled: time_or_none(row, "recalled")?,
    })
}

fn key_packet(row: &Row) -> Result<Option<Vec<u8>>> {
    get(row, "key_packet")
}

fn bounced(row: &Row) -> Result<Option<Bounce>> {
    let (time, reason) = (time_or_none(row, "bounced")?, get::<Option<String>>(row, "bounce_reason")?);
    let cause = get::<Option<_>>(row, "bounce_cause")?.unwrap_or_default();
    Ok(time.map(|time| Bounce { time, cause, reason: reason.unwrap_or_default() }))
}

/// Destroys every key of these transfers, and gives up their blobs. The caller has locked them.
pub(super) async fn shred(change: &mut Change, transfers: &[i64], now: Timestamp) -> Result<()> {
    for step in SHRED {
        change.db.execute(step, &[&transfers]).await?;
    }
    change.db.execute(SHREDDED, &[&transfers, &Time(now)]).await?;
    Ok(())
}
