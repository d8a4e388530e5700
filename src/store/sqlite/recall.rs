//! Recall: the sender takes links back, in one commit. Keys first, then the sessions that hold them, then the
//! mail that has not left yet; with a transfer's last key, its parts (C25).

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use super::{queue, transfers};
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};
use crate::store::{Recall, Result};

/// Links that can still be taken back.
pub(super) const OPEN: &str = "
    SELECT number, opened IS NOT NULL, notified IS NOT NULL FROM transfer_recipients
    WHERE transfer = ?1 AND key_packet IS NOT NULL ORDER BY number";
/// The order is the promise: the key, then what it was unwrapped into.
pub(super) const CLOSE: &str = "
    UPDATE transfer_recipients SET key_packet = NULL, recalled = ?3 WHERE transfer = ?1 AND number = ?2";
pub(super) const END_SESSIONS: &str = "DELETE FROM sessions WHERE transfer = ?1 AND recipient = ?2";
/// What would still invite them.
pub(super) const UNSENT: &str = "
    SELECT number FROM items WHERE transfer = ?1 AND recipient = ?2 AND kind IN ('notification', 'reminder')";
pub(super) const HAS_KEYS: &str =
    "SELECT 1 FROM transfer_recipients WHERE transfer = ?1 AND key_packet IS NOT NULL LIMIT 1";

/// Takes back what is still open, and gives the recipients' numbers.
pub(super) fn recall(change: &mut Change<'_>, recall: Recall) -> Result<Vec<u16>> {
    let Some(transfer) = live(change.db, &recall.transfer, recall.closed)? else { return Ok(Vec::new()) };
    let open = change
        .db
        .prepare_cached(OPEN)?
        .query_map([transfer], |row| {
            Ok(Open { number: row.get(0)?, opened: row.get(1)?, notified: row.get(2)? })
        })?
        .filter(|one| one.as_ref().map_or(true, |one| recall.recipients.contains(&one.number)))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for one in &open {
        close(change, transfer, &recall, one)?;
    }
    if !open.is_empty() && !change.db.prepare_cached(HAS_KEYS)?.exists([transfer])? {
        transfers::shred(change, transfer, recall.now)?;
    }
    Ok(open.into_iter().map(|one| one.number).collect())
}

struct Open {
    number: u16,
    opened: bool,
    notified: bool,
}

/// The row of a transfer that is not gone. What is past its date is for expiry to end.
fn live(db: &Connection, id: &TransferId, closed: Timestamp) -> Result<Option<i64>> {
    let number = "SELECT number FROM transfers WHERE id = ?1 AND shredded IS NULL AND expires > ?2";
    Ok(db.prepare_cached(number)?.query_row(params![id, Time(closed)], |row| row.get(0)).optional()?)
}

fn close(change: &mut Change<'_>, transfer: i64, recall: &Recall, one: &Open) -> Result<()> {
    change.db.prepare_cached(CLOSE)?.execute(params![transfer, one.number, Time(recall.now)])?;
    change.db.prepare_cached(END_SESSIONS)?.execute(params![transfer, one.number])?;
    change.shredded = true;
    let link = Link { transfer: recall.transfer.clone(), recipient: one.number };
    drop_unsent(change, &link)?;
    change.record(recall.event(&link, one.opened))?;
    if let Some((notice, event)) = recall.notice(&link).filter(|_| one.notified) {
        queue::insert(change.db, notice)?;
        change.record(event)?;
    }
    Ok(())
}

/// An item in delivery goes too; whether it still arrived, the end of its attempt tells.
fn drop_unsent(change: &mut Change<'_>, link: &Link) -> Result<()> {
    let unsent = change
        .db
        .prepare_cached(UNSENT)?
        .query_map(params![link.transfer, link.recipient], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    unsent.into_iter().try_for_each(|item| queue::remove(change, item))
}
