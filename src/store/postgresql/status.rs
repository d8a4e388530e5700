//! What the sender may know of a transfer: what became of its notifications. A link that none can reach is closed.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::change::Change;
use super::columns::{Number, Time, get, number, time};
use super::lent::Connection;
use super::{Postgres, audit, downloads, transfers};
use crate::audit::Entry;
use crate::diagnostic::Outcome;
use crate::id::{Link, QueueId, TransferId};
use crate::store::{Attempt, DeliveryReport, Download, Result, StatusStore};

#[async_trait]
impl StatusStore for Postgres {
    async fn delivery_reports(&self, transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
        self.read(move |db| reports(db, transfer).boxed()).await
    }

    async fn downloads(&self, transfer: TransferId) -> Result<Vec<Download>> {
        self.read(move |db| async move { downloads::of(db, &transfer).await }.boxed()).await
    }

    async fn audit_log(&self, transfer: TransferId) -> Result<Vec<Entry>> {
        self.read(move |db| async move { audit::trail(db, &transfer).await }.boxed()).await
    }
}

/// The first and the last, in whatever order the ends of two attempts come.
pub(super) const NOTIFIED: &str = "
    UPDATE transfer_recipients
    SET first_notified = least(first_notified, notified, $3), notified = greatest(notified, $3)
    WHERE transfer = $1 AND number = $2";
/// Only a link that can be opened and has not been: a recipient who has opened it, or has just given the
/// password, has received the mail (H45). Nor while another notification waits, or when one was handed over after the
/// item `$7` was made: what becomes of that one decides. The link is locked before: no session begins meanwhile, and no
/// notification is queued.
pub(super) const BOUNCED: &str = "
    UPDATE transfer_recipients SET bounced = $3, bounce_reason = $4, bounce_cause = $5
    WHERE transfer = $1 AND number = $2
        AND key_packet IS NOT NULL AND bounced IS NULL AND opened IS NULL
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE transfer = $1 AND recipient = $2)
        AND NOT EXISTS (
            SELECT 1 FROM items
            WHERE items.transfer = $6 AND items.recipient = $2 AND items.kind = 'notification'
                AND (items.id IS DISTINCT FROM $7 OR items.created < transfer_recipients.notified))";
/// The last of each kind, so that a thousand reports are no more rows. A link that is closed needs no second word.
pub(super) const REPORTED: &str = "
    INSERT INTO delivery_reports AS noted (transfer, recipient, own, action, time, reason, cause)
    SELECT transfer, number, $3::boolean, $4::text, $5::bigint, $6::text, $7::text FROM transfer_recipients
    WHERE transfer = $1 AND number = $2 AND bounced IS NULL
    ON CONFLICT (transfer, recipient, own, action)
        DO UPDATE SET time = excluded.time, reason = excluded.reason, cause = excluded.cause, count = noted.count + 1
    RETURNING count";
pub(super) const REPORTS: &str = "
    SELECT d.recipient, d.own, d.action, d.time, d.reason, d.cause
    FROM transfers t JOIN delivery_reports d ON d.transfer = t.number WHERE t.id = $1 ORDER BY d.recipient, d.time";

/// How the delivery of a notification ended: its recipient knows of the link now, or it is closed. The caller has locked
/// the link, and gives the number of its transfer.
pub(super) async fn note_deliveries(
    change: &mut Change,
    transfer: i64,
    link: &Link,
    attempt: &Attempt,
) -> Result<()> {
    let outcomes = || attempt.outcomes.iter().map(|(_, outcome)| outcome);
    if outcomes().any(|outcome| matches!(outcome, Outcome::Delivered)) {
        let (recipient, now) = (Number(link.recipient), Time(attempt.now));
        change.db.execute(NOTIFIED, &[&transfer, &recipient, &now]).await?;
    }
    for outcome in outcomes() {
        if let Outcome::Failed(why) = outcome {
            let failed = DeliveryReport::of_attempt(why, attempt.now);
            note(change, transfer, link, &failed, Some(&attempt.item)).await?;
        }
    }
    Ok(())
}

/// Notes what a server reports of a notification; tells whether that closed the link.
pub(super) async fn report(change: &mut Change, link: &Link, report: &DeliveryReport) -> Result<bool> {
    match transfers::lock_link(&change.db, link).await? {
        Some(transfer) => note(change, transfer, link, report, None).await,
        None => Ok(false),
    }
}

/// Closes the link, or keeps the report for its sender. An event for the first of each kind. `item` is that of the
/// notification, where it is known.
async fn note(
    change: &mut Change,
    transfer: i64,
    link: &Link,
    report: &DeliveryReport,
    item: Option<&QueueId>,
) -> Result<bool> {
    if report.can_close() && bounce(change, transfer, link, report, item).await? {
        return Ok(true);
    }
    let DeliveryReport { own, action, time, cause, reason } = report;
    let noted = change
        .db
        .row(REPORTED, &[&transfer, &Number(link.recipient), own, action, &Time(*time), reason, cause])
        .await?;
    if let Some(row) = noted
        && number::<u32>(&row, "count")? == 1
    {
        change.record(report.event(link)).await?;
    }
    Ok(false)
}

/// Closes a link; tells whether it was open. There is no session of it that could be ended.
async fn bounce(
    change: &mut Change,
    transfer: i64,
    link: &Link,
    report: &DeliveryReport,
    item: Option<&QueueId>,
) -> Result<bool> {
    let (recipient, time) = (Number(link.recipient), Time(report.time));
    let DeliveryReport { cause, reason, .. } = report;
    let closed = [&transfer as &(dyn ToSql + Sync), &recipient, &time, reason, cause, &link.transfer, &item];
    if change.db.execute(BOUNCED, &closed).await? == 0 {
        return Ok(false);
    }
    change.record(report.closing_event(link)).await?;
    Ok(true)
}

/// What was reported of a transfer.
async fn reports(db: &Connection, transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
    db.query(REPORTS, &[&transfer]).await?.iter().map(reported).collect()
}

fn reported(row: &Row) -> Result<(u16, DeliveryReport)> {
    let (own, action, reason) = (get(row, "own")?, get(row, "action")?, get(row, "reason")?);
    let (time, cause) = (time(row, "time")?, get::<Option<_>>(row, "cause")?.unwrap_or_default());
    Ok((number(row, "recipient")?, DeliveryReport { own, action, time, cause, reason }))
}
