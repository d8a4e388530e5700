//! Whom the timer reminds. Every mail is queued in the transaction that notes that it was: of two timers at once the second
//! finds nothing to do, and a crash sends nothing twice.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::change::Change;
use super::columns::{Number, Time, get, limit, number};
use super::lent::{Connection, Parameters};
use super::{Postgres, items, transfers};
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};
use crate::store::reminders::download_notice_event;
use crate::store::{DueReminder, NewItem, Occasion, ReminderMails, ReminderStore, Result, Whose};

#[async_trait]
impl ReminderStore for Postgres {
    async fn due_reminders(
        &self,
        whose: Whose,
        now: Timestamp,
        last_days: Timestamp,
        quiet_since: Timestamp,
        most: usize,
    ) -> Result<Vec<DueReminder>> {
        self.read(move |db| {
            async move { due_reminders(db, &whose, now, last_days, quiet_since, most).await }.boxed()
        })
        .await
    }

    async fn enqueue_reminders(&self, reminders: ReminderMails) -> Result<usize> {
        self.write(move |change| remind(change, reminders).boxed()).await
    }

    async fn due_downloads(&self, quiet_since: Timestamp, most: usize) -> Result<Vec<Link>> {
        self.read(move |db| due_downloads(db, quiet_since, most).boxed()).await
    }
}

pub(super) const FIRST_DUE: &str = "
    SELECT id FROM transfers
    WHERE first_reminder <= $1 AND shredded IS NULL AND coalesce(organisation = ANY($3::text[]), FALSE) = $4
    ORDER BY first_reminder LIMIT $2";
pub(super) const LAST_DUE: &str = "
    SELECT id FROM transfers
    WHERE shredded IS NULL AND expires > $1 AND expires <= $2 AND announced IS DISTINCT FROM expires
        AND (reminded IS NULL OR reminded <= $3) AND coalesce(organisation = ANY($5::text[]), FALSE) = $6
    ORDER BY expires LIMIT $4";
/// The transfer stays locked: no link of it is recalled until its reminder is in the queue, where recall finds it.
pub(super) const CLAIM_FIRST: &str = "
    UPDATE transfers SET first_reminder = NULL
    WHERE id = $1 AND expires = $2 AND shredded IS NULL AND first_reminder IS NOT NULL RETURNING number";
pub(super) const CLAIM_LAST: &str = "
    UPDATE transfers SET announced = expires
    WHERE id = $1 AND expires = $2 AND shredded IS NULL AND announced IS DISTINCT FROM expires RETURNING number";
pub(super) const REMINDED: &str =
    "UPDATE transfers SET reminded = $2, first_reminder = NULL WHERE number = $1";
/// The row only while the sender has not heard of downloads of this link since $3.
pub(super) const CLAIM_NOTICE: &str = "
    UPDATE transfer_recipients SET download_noticed = $4, download_pending = FALSE
    WHERE transfer = $1 AND number = $2 AND (download_noticed IS NULL OR download_noticed <= $3)";
pub(super) const PENDING: &str =
    "UPDATE transfer_recipients SET download_pending = TRUE WHERE transfer = $1 AND number = $2";
pub(super) const DOWNLOADS_DUE: &str = "
    SELECT t.id, r.number FROM transfer_recipients r JOIN transfers t ON t.number = r.transfer
    WHERE r.download_pending AND r.download_noticed <= $1 ORDER BY r.download_noticed LIMIT $2";
pub(super) const IS_PENDING: &str =
    "SELECT 1 FROM transfer_recipients WHERE transfer = $1 AND number = $2 AND download_pending";

/// Transfers that may need reminders now: those that expire by `last_days` and were not reminded since `quiet_since`, then
/// those whose first is due.
async fn due_reminders(
    db: &Connection,
    whose: &Whose,
    now: Timestamp,
    last_days: Timestamp,
    quiet_since: Timestamp,
    most: usize,
) -> Result<Vec<DueReminder>> {
    let (now, last_days, quiet_since, most) = (Time(now), Time(last_days), Time(quiet_since), limit(most));
    let (listed, is_listed) = whose.listed();
    let last: Parameters<'_> = &[&now, &last_days, &quiet_since, &most, &listed, &is_listed];
    let last = transfer_ids(&db.query(LAST_DUE, last).await?)?;
    let first = transfer_ids(&db.query(FIRST_DUE, &[&now, &most, &listed, &is_listed]).await?)?;
    Ok(DueReminder::once_each(last, first))
}

fn transfer_ids(rows: &[Row]) -> Result<Vec<TransferId>> {
    rows.iter().map(|row| get(row, "id")).collect()
}

/// Queues reminders, unless that was done before. Gives how many mails were queued.
async fn remind(change: &mut Change, reminders: ReminderMails) -> Result<usize> {
    let claim = match reminders.occasion {
        Occasion::HalfTime => CLAIM_FIRST,
        Occasion::LastDays => CLAIM_LAST,
    };
    let claimed = change.db.row(claim, &[&reminders.transfer, &Time(reminders.expires)]).await?;
    let Some(row) = claimed else { return Ok(0) };
    let transfer: i64 = number(&row, "number")?;
    let recipients = transfers::recipients(&change.db, transfer).await?;
    let (to_recipients, to_sender) = reminders.due(&recipients);
    let items: Vec<_> = to_recipients.iter().map(|(_, item)| *item).chain(to_sender).cloned().collect();
    let count = items.len();
    items::put(&change.db, items).await?;
    for (link, _) in &to_recipients {
        change.record(reminders.event(link)).await?;
    }
    if to_sender.is_some() {
        change.record(reminders.sender_event()).await?;
    }
    if count > 0 {
        change.db.execute(REMINDED, &[&transfer, &Time(reminders.now)]).await?;
    }
    Ok(count)
}

/// Queues the mail about a download, or, where the sender heard of this link since `quiet_since`, remembers that
/// there is more to tell. The caller has locked the link, and gives the number of its transfer.
pub(super) async fn notice_download(
    change: &mut Change,
    transfer: i64,
    link: &Link,
    notice: &NewItem,
    quiet_since: Timestamp,
) -> Result<bool> {
    let (recipient, now) = (Number(link.recipient), notice.created);
    let (since, time) = (Time(quiet_since), Time(now));
    if change.db.execute(CLAIM_NOTICE, &[&transfer, &recipient, &since, &time]).await? == 0 {
        change.db.execute(PENDING, &[&transfer, &recipient]).await?;
        return Ok(false);
    }
    items::put(&change.db, vec![notice.clone()]).await?;
    change.record(download_notice_event(link, now)).await?;
    Ok(true)
}

/// Links of which the sender has more to hear, and was last told at or before `quiet_since`.
async fn due_downloads(db: &Connection, quiet_since: Timestamp, most: usize) -> Result<Vec<Link>> {
    let rows = db.query(DOWNLOADS_DUE, &[&Time(quiet_since), &limit(most)]).await?;
    let link = |row: &Row| Ok(Link { transfer: get(row, "id")?, recipient: number(row, "number")? });
    rows.iter().map(link).collect()
}

/// Queues the mail that tells the rest; not, when that was done before.
pub(super) async fn follow_up(
    change: &mut Change,
    link: &Link,
    notice: &NewItem,
    quiet_since: Timestamp,
) -> Result<bool> {
    let Some(transfer) = transfers::lock_link(&change.db, link).await? else { return Ok(false) };
    match change.db.row(IS_PENDING, &[&transfer, &Number(link.recipient)]).await? {
        Some(_) => notice_download(change, transfer, link, notice, quiet_since).await,
        None => Ok(false),
    }
}
