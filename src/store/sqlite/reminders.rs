//! Whom the timer reminds. Every mail is queued in the transaction that notes that it was: of two timers at once the second
//! finds nothing to do, and a crash sends nothing twice.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Time, limit};
use super::writer::Change;
use super::{Sqlite, queue, transfers};
use crate::clock::Timestamp;
use crate::id::Link;
use crate::store::reminders::download_notice_event;
use crate::store::{DueReminder, NewItem, Occasion, ReminderMails, ReminderStore, Result, Whose};

#[async_trait]
impl ReminderStore for Sqlite {
    async fn due_reminders(
        &self,
        whose: Whose,
        now: Timestamp,
        last_days: Timestamp,
        quiet_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueReminder>> {
        self.readers.read(move |db| due_reminders(db, &whose, now, last_days, quiet_since, limit)).await
    }

    async fn enqueue_reminders(&self, reminders: ReminderMails) -> Result<usize> {
        self.write(move |change| remind(change, reminders)).await
    }

    async fn due_downloads(&self, quiet_since: Timestamp, limit: usize) -> Result<Vec<Link>> {
        self.readers.read(move |db| due_downloads(db, quiet_since, limit)).await
    }
}

pub(super) const FIRST_DUE: &str = "
    SELECT id FROM transfers
    WHERE first_reminder <= ?1 AND shredded IS NULL
        AND coalesce(instr(?3, char(10) || organisation || char(10)) > 0, 0) = ?4
    ORDER BY first_reminder LIMIT ?2";
pub(super) const LAST_DUE: &str = "
    SELECT id FROM transfers
    WHERE shredded IS NULL AND expires > ?1 AND expires <= ?2 AND announced IS NOT expires
        AND (reminded IS NULL OR reminded <= ?3)
        AND coalesce(instr(?5, char(10) || organisation || char(10)) > 0, 0) = ?6
    ORDER BY expires LIMIT ?4";
const CLAIM_FIRST: &str = "
    UPDATE transfers SET first_reminder = NULL
    WHERE id = ?1 AND expires = ?2 AND shredded IS NULL AND first_reminder IS NOT NULL RETURNING number";
const CLAIM_LAST: &str = "
    UPDATE transfers SET announced = expires
    WHERE id = ?1 AND expires = ?2 AND shredded IS NULL AND announced IS NOT expires RETURNING number";
const REMINDED: &str = "UPDATE transfers SET reminded = ?2, first_reminder = NULL WHERE number = ?1";
/// The row only while the sender has not heard of downloads of this link since ?3.
const CLAIM_NOTICE: &str = "
    UPDATE transfer_recipients SET download_noticed = ?4, download_pending = 0
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND (download_noticed IS NULL OR download_noticed <= ?3)";
const PENDING: &str = "
    UPDATE transfer_recipients SET download_pending = 1
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2";
pub(super) const DOWNLOADS_DUE: &str = "
    SELECT t.id, r.number FROM transfer_recipients r JOIN transfers t ON t.number = r.transfer
    WHERE r.download_pending = 1 AND r.download_noticed <= ?1 ORDER BY r.download_noticed LIMIT ?2";
const IS_PENDING: &str = "
    SELECT 1 FROM transfer_recipients
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2 AND download_pending = 1";

/// Transfers that may need reminders now: those whose first is due, then those that expire by `last_days` and
/// were not reminded since `quiet_since`.
fn due_reminders(
    db: &Connection,
    whose: &Whose,
    now: Timestamp,
    last_days: Timestamp,
    quiet_since: Timestamp,
    most: usize,
) -> Result<Vec<DueReminder>> {
    let (lines, (_, is_listed)) = (whose.lines(), whose.listed());
    let window = params![Time(now), Time(last_days), Time(quiet_since), limit(most), lines, is_listed];
    let last =
        db.prepare_cached(LAST_DUE)?.query_map(window, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let by_now = params![Time(now), limit(most), lines, is_listed];
    let first = db
        .prepare_cached(FIRST_DUE)?
        .query_map(by_now, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(DueReminder::once_each(last, first))
}

/// Queues reminders, unless that was done before. Gives how many mails were queued.
fn remind(change: &mut Change<'_>, reminders: ReminderMails) -> Result<usize> {
    let claim = match reminders.occasion {
        Occasion::HalfTime => CLAIM_FIRST,
        Occasion::LastDays => CLAIM_LAST,
    };
    let claimed: Option<i64> = change
        .db
        .prepare_cached(claim)?
        .query_row(params![reminders.transfer, Time(reminders.expires)], |row| row.get(0))
        .optional()?;
    let Some(transfer) = claimed else { return Ok(0) };
    let recipients = transfers::recipients(change.db, transfer)?;
    let (to_recipients, to_sender) = reminders.due(&recipients);
    for (link, item) in &to_recipients {
        queue::insert(change.db, item)?;
        change.record(reminders.event(link))?;
    }
    if let Some(item) = to_sender {
        queue::insert(change.db, item)?;
        change.record(reminders.sender_event())?;
    }
    let queued = to_recipients.len() + usize::from(to_sender.is_some());
    if queued > 0 {
        change.db.prepare_cached(REMINDED)?.execute(params![transfer, Time(reminders.now)])?;
    }
    Ok(queued)
}

/// Queues the mail about a download, or, where the sender heard of this link since `quiet_since`, remembers that
/// there is more to tell.
pub(super) fn notice_download(
    change: &mut Change<'_>,
    link: &Link,
    notice: &NewItem,
    quiet_since: Timestamp,
) -> Result<bool> {
    let now = notice.created;
    let claim = params![link.transfer, link.recipient, Time(quiet_since), Time(now)];
    if change.db.prepare_cached(CLAIM_NOTICE)?.execute(claim)? == 0 {
        change.db.prepare_cached(PENDING)?.execute(params![link.transfer, link.recipient])?;
        return Ok(false);
    }
    queue::insert(change.db, notice)?;
    change.record(download_notice_event(link, now))?;
    Ok(true)
}

/// Links of which the sender has more to hear, and was last told at or before `quiet_since`.
fn due_downloads(db: &Connection, quiet_since: Timestamp, most: usize) -> Result<Vec<Link>> {
    let mut due = db.prepare_cached(DOWNLOADS_DUE)?;
    let rows = due.query_map(params![Time(quiet_since), limit(most)], |row| {
        Ok(Link { transfer: row.get(0)?, recipient: row.get(1)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Queues the mail that tells the rest; not, when that was done before.
pub(super) fn follow_up(
    change: &mut Change<'_>,
    link: &Link,
    notice: &NewItem,
    quiet_since: Timestamp,
) -> Result<bool> {
    match change.db.prepare_cached(IS_PENDING)?.exists(params![link.transfer, link.recipient])? {
        true => notice_download(change, link, notice, quiet_since),
        false => Ok(false),
    }
}
