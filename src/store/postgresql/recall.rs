//! Recall: the sender takes links back, in one commit. Keys first, then the sessions that hold them, then the
//! mail that has not left yet; with a transfer's last key, its parts (C25).
//!
//! The transfer is locked, then its links in the order of their numbers: whoever opens one of them has done so before, and
//! the session goes, or comes too late.

use tokio_postgres::Row;

use super::change::Change;
use super::columns::{Number, Time, get, number};
use super::lent::Connection;
use super::{items, transfers};
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};
use crate::store::{Recall, Result};

pub(super) const LIVE: &str =
    "SELECT number FROM transfers WHERE id = $1 AND shredded IS NULL AND expires > $2 FOR NO KEY UPDATE";
/// Links that can still be taken back.
pub(super) const OPEN: &str = "
    SELECT number, opened IS NOT NULL AS is_opened, notified IS NOT NULL AS is_notified FROM transfer_recipients
    WHERE transfer = $1 AND number = ANY($2) AND key_packet IS NOT NULL ORDER BY number FOR NO KEY UPDATE";
/// The order is the promise: the key, then what it was unwrapped into.
pub(super) const CLOSE: &str = "
    UPDATE transfer_recipients SET key_packet = NULL, key = NULL, recalled = $3
    WHERE transfer = $1 AND number = ANY($2)";
pub(super) const END_SESSIONS: &str = "DELETE FROM sessions WHERE transfer = $1 AND recipient = ANY($2)";
/// What would still invite them. An item in delivery goes too; whether it still arrived, the end of its attempt tells.
pub(super) const DROP_UNSENT: &str = "
    WITH unsent AS (
        SELECT number FROM items
        WHERE transfer = $1 AND recipient = ANY($2) AND kind IN ('notification', 'reminder')
        ORDER BY number FOR UPDATE),
    gone AS (DELETE FROM items USING unsent WHERE items.number = unsent.number RETURNING items.blob, items.id, items.track),
    removed AS (
        UPDATE tracking SET state = 'removed' FROM gone
        WHERE tracking.tracking = coalesce(gone.track::json->>'tracking', gone.id) AND tracking.item = gone.id
            AND tracking.state IN ('waiting', 'frozen'))
    INSERT INTO doomed (blob) SELECT blob FROM gone WHERE blob IS NOT NULL ON CONFLICT DO NOTHING";
pub(super) const HAS_KEYS: &str =
    "SELECT 1 FROM transfer_recipients WHERE transfer = $1 AND key_packet IS NOT NULL LIMIT 1";

/// Takes back what is still open, and gives the recipients' numbers.
pub(super) async fn recall(change: &mut Change, recall: Recall) -> Result<Vec<u16>> {
    let Some(transfer) = live(&change.db, &recall.transfer, recall.closed).await? else {
        return Ok(Vec::new());
    };
    let wanted: Vec<_> = recall.recipients.iter().copied().map(Number).collect();
    let open = change.db.query(OPEN, &[&transfer, &wanted]).await?;
    let open = open.iter().map(OpenLink::read).collect::<Result<Vec<_>>>()?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    close(&change.db, transfer, &recall, &open).await?;
    for one in &open {
        tell(change, &recall, one).await?;
    }
    if change.db.row(HAS_KEYS, &[&transfer]).await?.is_none() {
        transfers::shred(change, &[transfer], recall.now).await?;
    }
    Ok(open.into_iter().map(|one| one.number).collect())
}

struct OpenLink {
    number: u16,
    is_opened: bool,
    is_notified: bool,
}

impl OpenLink {
    fn read(row: &Row) -> Result<Self> {
        let (is_opened, is_notified) = (get(row, "is_opened")?, get(row, "is_notified")?);
        Ok(Self { number: number(row, "number")?, is_opened, is_notified })
    }
}

/// The row of a transfer that is not gone, locked. What is past its date is for expiry to end.
async fn live(db: &Connection, id: &TransferId, closed: Timestamp) -> Result<Option<i64>> {
    db.row(LIVE, &[id, &Time(closed)]).await?.map(|row| number(&row, "number")).transpose()
}

async fn close(db: &Connection, transfer: i64, recall: &Recall, open: &[OpenLink]) -> Result<()> {
    let numbers: Vec<_> = open.iter().map(|one| Number(one.number)).collect();
    db.execute(CLOSE, &[&transfer, &numbers, &Time(recall.now)]).await?;
    db.execute(END_SESSIONS, &[&transfer, &numbers]).await?;
    db.execute(DROP_UNSENT, &[&recall.transfer, &numbers]).await?;
    Ok(())
}

/// What the audit trail says of it, and the mail to a recipient who has heard of the link.
async fn tell(change: &mut Change, recall: &Recall, one: &OpenLink) -> Result<()> {
    let link = Link { transfer: recall.transfer.clone(), recipient: one.number };
    change.record(recall.event(&link, one.is_opened)).await?;
    if let Some((notice, event)) = recall.notice(&link).filter(|_| one.is_notified) {
        items::put(&change.db, vec![notice.clone()]).await?;
        change.record(event).await?;
    }
    Ok(())
}
