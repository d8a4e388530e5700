//! What the sender may know of a transfer: what became of its notifications. A link that none can reach is closed.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use super::{Sqlite, audit, downloads};
use crate::audit::Entry;
use crate::diagnostic::Outcome;
use crate::id::{Link, QueueId, TransferId};
use crate::store::{Attempt, DeliveryReport, Download, Result, StatusStore};

#[async_trait]
impl StatusStore for Sqlite {
    async fn delivery_reports(&self, transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
        self.readers.read(move |db| reports(db, &transfer)).await
    }

    async fn downloads(&self, transfer: TransferId) -> Result<Vec<Download>> {
        self.readers.read(move |db| downloads::of(db, &transfer)).await
    }

    async fn audit_log(&self, transfer: TransferId) -> Result<Vec<Entry>> {
        self.readers.read(move |db| audit::trail(db, &transfer)).await
    }
}

/// The first and the last, in whatever order the ends of two attempts come.
pub(super) const NOTIFIED: &str = "
    UPDATE transfer_recipients
    SET first_notified = min(coalesce(first_notified, notified, ?3), ?3), notified = max(coalesce(notified, ?3), ?3)
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2";
/// Only a link that can be opened and has not been: a recipient who has opened it, or has just given the
/// password, has received the mail (H45). Nor while another notification waits, or when one was handed over after the
/// item `?6` was made: what becomes of that one decides.
pub(super) const BOUNCED: &str = "
    UPDATE transfer_recipients SET bounced = ?3, bounce_reason = ?4, bounce_cause = ?5
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND key_packet IS NOT NULL AND bounced IS NULL AND opened IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM sessions
            WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND recipient = ?2)
        AND NOT EXISTS (
            SELECT 1 FROM items
            WHERE transfer = ?1 AND recipient = ?2 AND kind = 'notification'
                AND (id IS NOT ?6 OR created < transfer_recipients.notified))
    RETURNING transfer";
/// The last of each kind, so that a thousand reports are no more rows. A link that is closed needs no second word.
pub(super) const REPORTED: &str = "
    INSERT INTO delivery_reports (transfer, recipient, own, action, time, reason, cause)
    SELECT transfer, number, ?3, ?4, ?5, ?6, ?7 FROM transfer_recipients
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2 AND bounced IS NULL
    ON CONFLICT (transfer, recipient, own, action) DO UPDATE SET time = ?5, reason = ?6, cause = ?7, count = count + 1
    RETURNING count";
pub(super) const REPORTS: &str = "
    SELECT d.recipient, d.own, d.action, d.time, d.reason, d.cause
    FROM transfers t JOIN delivery_reports d ON d.transfer = t.number WHERE t.id = ?1 ORDER BY d.recipient";
const END_SESSIONS: &str = "DELETE FROM sessions WHERE transfer = ?1 AND recipient = ?2";

/// How the delivery of a notification ended: its recipient knows of the link now, or it is closed.
pub(super) fn note_deliveries(change: &mut Change<'_>, link: &Link, attempt: &Attempt) -> Result<()> {
    let time = attempt.now;
    for (_, outcome) in &attempt.outcomes {
        match outcome {
            Outcome::Delivered => {
                let notified = params![link.transfer, link.recipient, Time(time)];
                change.db.prepare_cached(NOTIFIED)?.execute(notified)?;
            }
            Outcome::Failed(why) => {
                let failed = DeliveryReport::of_attempt(why, time);
                report(change, link, &failed, Some(&attempt.item))?;
            }
            Outcome::Deferred(_) => {}
        }
    }
    Ok(())
}

/// Notes what a server reports of a notification: closes the link, or is kept for its sender. An event for the first
/// of each kind. `item` is that of the notification, where it is known.
pub(super) fn report(
    change: &mut Change<'_>,
    link: &Link,
    report: &DeliveryReport,
    item: Option<&QueueId>,
) -> Result<bool> {
    if report.can_close() && bounce(change, link, report, item)? {
        return Ok(true);
    }
    let DeliveryReport { own, action, time, cause, reason } = report;
    let noted = params![link.transfer, link.recipient, own, action, Time(*time), reason, cause];
    let count: Option<u32> =
        change.db.prepare_cached(REPORTED)?.query_row(noted, |row| row.get(0)).optional()?;
    if count == Some(1) {
        change.record(report.event(link))?;
    }
    Ok(false)
}

/// Closes a link; tells whether it was open.
fn bounce(
    change: &mut Change<'_>,
    link: &Link,
    report: &DeliveryReport,
    item: Option<&QueueId>,
) -> Result<bool> {
    let DeliveryReport { time, cause, reason, .. } = report;
    let closed = params![link.transfer, link.recipient, Time(*time), reason, cause, item];
    let row: Option<i64> =
        change.db.prepare_cached(BOUNCED)?.query_row(closed, |row| row.get(0)).optional()?;
    let Some(row) = row else { return Ok(false) };
    change.db.prepare_cached(END_SESSIONS)?.execute(params![row, link.recipient])?;
    change.record(report.closing_event(link))?;
    Ok(true)
}

/// What was reported of a transfer.
fn reports(db: &Connection, transfer: &TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
    let mut reports = db.prepare_cached(REPORTS)?;
    let rows = reports.query_map([transfer], |row| {
        let (own, action, reason) = (row.get("own")?, row.get("action")?, row.get("reason")?);
        let (time, cause) = (row.get::<_, Time>("time")?.0, row.get::<_, Option<_>>("cause")?);
        let cause = cause.unwrap_or_default();
        Ok((row.get("recipient")?, DeliveryReport { own, action, time, cause, reason }))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<(u16, DeliveryReport)>>>()?;
    found.sort_by_key(|(number, report)| (*number, report.time));
    Ok(found)
}
