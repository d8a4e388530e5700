//! What is done with a transfer after it was sent: another date, or a mail about it once more. Recall is in [`super::recall`].

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use super::{Sqlite, access, limits, lost, queue, recall, reminders};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};
use crate::store::{
    EnqueueOutcome, Extension, LimitedNotice, NewItem, Recall, Result, SenderStore, StoreError,
};

#[async_trait]
impl SenderStore for Sqlite {
    async fn recall(&self, recall: Recall) -> Result<Vec<u16>> {
        self.write(move |change| recall::recall(change, recall)).await
    }

    async fn extend(&self, extension: Extension) -> Result<bool> {
        self.write(move |change| extend(change, extension)).await
    }

    async fn clear_tries(&self, link: Link, event: Event) -> Result<bool> {
        self.write(move |change| access::clear_tries(change, &link, event)).await
    }

    async fn enqueue_limited(&self, notice: LimitedNotice, now: Timestamp) -> Result<EnqueueOutcome> {
        match self.write(move |change| send(change, notice, now)).await {
            Err(StoreError::TooMany(again)) => Ok(EnqueueOutcome::NotBefore(again)),
            sent => sent,
        }
    }

    async fn enqueue_follow_up(&self, link: Link, notice: NewItem, quiet_since: Timestamp) -> Result<bool> {
        self.write(move |change| reminders::follow_up(change, &link, &notice, quiet_since)).await
    }

    async fn note_lost_part(
        &self,
        transfer: TransferId,
        part: u32,
        event: Event,
        notice: Option<NewItem>,
    ) -> Result<bool> {
        self.write(move |change| lost::part(change, &transfer, part, event, notice)).await
    }
}

pub(super) const INVITABLE: &str = "
    SELECT t.number FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = ?1 AND t.expires > ?3 AND r.number = ?2 AND r.key_packet IS NOT NULL";

/// What closed the link is kept for its sender: the audit trail has told of it already, so it is counted as none.
pub(super) const KEEP_BOUNCE: &str = "
    INSERT INTO delivery_reports (transfer, recipient, own, action, time, reason, cause, count)
    SELECT transfer, number, TRUE, 'failed', bounced, coalesce(bounce_reason, ''), bounce_cause, 0
    FROM transfer_recipients WHERE transfer = ?1 AND number = ?2 AND bounced IS NOT NULL
    ON CONFLICT (transfer, recipient, own, action)
        DO UPDATE SET time = excluded.time, reason = excluded.reason, cause = excluded.cause";
pub(super) const REOPEN: &str = "
    UPDATE transfer_recipients SET bounced = NULL, bounce_reason = NULL, bounce_cause = NULL
    WHERE transfer = ?1 AND number = ?2";

pub(super) const EXTEND: &str = "
    UPDATE transfers SET expires = ?2
    WHERE id = ?1 AND shredded IS NULL AND expires > ?3";

/// A new date for a transfer that is not gone.
pub(super) fn extend(change: &mut Change<'_>, extension: Extension) -> Result<bool> {
    let (expires, closed) = (Time(extension.expires), Time(extension.closed));
    let extended =
        change.db.prepare_cached(EXTEND)?.execute(params![extension.transfer, expires, closed])? > 0;
    if !extended {
        return Ok(false);
    }
    change.record(extension.event)?;
    for notice in extension.notices {
        match send(change, notice, extension.now) {
            Ok(_) | Err(StoreError::TooMany(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Looks at the link before the limit: what cannot go out takes nothing from it.
pub(super) fn send(change: &mut Change<'_>, notice: LimitedNotice, now: Timestamp) -> Result<EnqueueOutcome> {
    let (db, link) = (change.db, &notice.link);
    let invitable: Option<i64> = db
        .prepare_cached(INVITABLE)?
        .query_row(params![link.transfer, link.recipient, Time(now)], |row| row.get(0))
        .optional()?;
    if notice.invites && invitable.is_none() {
        return Ok(EnqueueOutcome::Closed);
    }
    if let Some(again) = limits::take(change.db, &notice.bucket, notice.rate, now)? {
        return Ok(EnqueueOutcome::NotBefore(again));
    }
    let (all, most) = notice.in_all;
    if let Some(again) = limits::take(change.db, &all, most, now)? {
        // An error, so that the link keeps the one that was just taken from it.
        return Err(StoreError::TooMany(again));
    }
    if let Some(transfer) = invitable.filter(|_| notice.invites) {
        db.prepare_cached(KEEP_BOUNCE)?.execute(params![transfer, link.recipient])?;
        db.prepare_cached(REOPEN)?.execute(params![transfer, link.recipient])?;
    }
    queue::insert(db, &notice.item)?;
    change.record(notice.event)?;
    Ok(EnqueueOutcome::Queued)
}
