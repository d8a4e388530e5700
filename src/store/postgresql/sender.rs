//! What is done with a transfer after it was sent: another date, or a mail about it once more. Recall is in [`super::recall`].

use async_trait::async_trait;
use futures_util::FutureExt;

use super::change::Change;
use super::columns::{Number, Time, get, number};
use super::{Postgres, access, items, limits, lost, recall, reminders};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};
use crate::store::{
    EnqueueOutcome, Extension, LimitedNotice, NewItem, Recall, Result, SenderStore, StoreError,
};

#[async_trait]
impl SenderStore for Postgres {
    async fn recall(&self, recall: Recall) -> Result<Vec<u16>> {
        self.write(move |change| recall::recall(change, recall).boxed()).await
    }

    async fn extend(&self, extension: Extension) -> Result<bool> {
        self.write(move |change| extend(change, extension).boxed()).await
    }

    async fn clear_tries(&self, link: Link, event: Event) -> Result<bool> {
        self.write(move |change| async move { access::clear_tries(change, &link, event).await }.boxed()).await
    }

    async fn enqueue_limited(&self, notice: LimitedNotice, now: Timestamp) -> Result<EnqueueOutcome> {
        match self.write(move |change| send(change, notice, now).boxed()).await {
            Err(StoreError::TooMany(again)) => Ok(EnqueueOutcome::NotBefore(again)),
            sent => sent,
        }
    }

    async fn enqueue_follow_up(&self, link: Link, notice: NewItem, quiet_since: Timestamp) -> Result<bool> {
        self.write(move |change| {
            async move { reminders::follow_up(change, &link, &notice, quiet_since).await }.boxed()
        })
        .await
    }

    async fn note_lost_part(
        &self,
        transfer: TransferId,
        part: u32,
        event: Event,
        notice: Option<NewItem>,
    ) -> Result<bool> {
        self.write(move |change| {
            async move { lost::part(change, &transfer, part, event, notice).await }.boxed()
        })
        .await
    }
}

/// Locks the link, and tells whether its recipient may be invited.
pub(super) const INVITABLE: &str = "
    SELECT t.number, t.expires > $3 AND r.key_packet IS NOT NULL AS is_invitable
    FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = $1 AND r.number = $2 FOR NO KEY UPDATE OF r";
/// What closed the link is kept for its sender: the audit trail has told of it already, so it is counted as none.
pub(super) const KEEP_BOUNCE: &str = "
    INSERT INTO delivery_reports (transfer, recipient, own, action, time, reason, cause, count)
    SELECT transfer, number, TRUE, 'failed', bounced, coalesce(bounce_reason, ''), bounce_cause, 0
    FROM transfer_recipients WHERE transfer = $1 AND number = $2 AND bounced IS NOT NULL
    ON CONFLICT (transfer, recipient, own, action)
        DO UPDATE SET time = excluded.time, reason = excluded.reason, cause = excluded.cause";
pub(super) const REOPEN: &str = "
    UPDATE transfer_recipients SET bounced = NULL, bounce_reason = NULL, bounce_cause = NULL
    WHERE transfer = $1 AND number = $2";
pub(super) const EXTEND: &str = "
    UPDATE transfers SET expires = $2 WHERE id = $1 AND shredded IS NULL AND expires > $3";

/// A new date for a transfer that is not gone.
async fn extend(change: &mut Change, extension: Extension) -> Result<bool> {
    let (expires, closed) = (Time(extension.expires), Time(extension.closed));
    let extended = change.db.execute(EXTEND, &[&extension.transfer, &expires, &closed]).await? > 0;
    if !extended {
        return Ok(false);
    }
    change.record(extension.event).await?;
    for notice in extension.notices {
        match send(change, notice, extension.now).await {
            Ok(_) | Err(StoreError::TooMany(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Looks at the link before the limit: what cannot go out takes nothing from it.
async fn send(change: &mut Change, notice: LimitedNotice, now: Timestamp) -> Result<EnqueueOutcome> {
    let invited = invitable(change, &notice.link, now).await?.filter(|_| notice.invites);
    if notice.invites && invited.is_none() {
        return Ok(EnqueueOutcome::Closed);
    }
    if let Some(again) = limits::take(&change.db, &notice.bucket, notice.rate, now).await? {
        return Ok(EnqueueOutcome::NotBefore(again));
    }
    let (all, most) = notice.in_all;
    if let Some(again) = limits::take(&change.db, &all, most, now).await? {
        // An error, so that the link keeps the one that was just taken from it.
        return Err(StoreError::TooMany(again));
    }
    if let Some(transfer) = invited {
        for statement in [KEEP_BOUNCE, REOPEN] {
            change.db.execute(statement, &[&transfer, &Number(notice.link.recipient)]).await?;
        }
    }
    items::put(&change.db, vec![notice.item]).await?;
    change.record(notice.event).await?;
    Ok(EnqueueOutcome::Queued)
}

/// The number of the transfer, if the recipient of this link may be invited to it.
async fn invitable(change: &Change, link: &Link, now: Timestamp) -> Result<Option<i64>> {
    let found = change.db.row(INVITABLE, &[&link.transfer, &Number(link.recipient), &Time(now)]).await?;
    let Some(row) = found else { return Ok(None) };
    Ok(if get(&row, "is_invitable")? { Some(number(&row, "number")?) } else { None })
}
