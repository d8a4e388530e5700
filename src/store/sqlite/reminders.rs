//! What happens to transfers by themselves. Every mail is queued in the transaction that notes that it was: of two
//! timers at once the second finds nothing to do, and a crash sends nothing twice.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Time, limit};
use super::writer::Change;
use super::{folder, queue};
use crate::audit::{Action, Actor};
use crate::clock::Timestamp;
use crate::id::Link;
use crate::store::{DueReminder, Forget, NewItem, Occasion, Reminders, Result, Turn, Turns};

/// Rows that one call forgets of a kind: other writers wait as long as that takes.
const FORGET_AT_ONCE: usize = 1000;

pub(super) const FIRST_DUE: &str = "
    SELECT id FROM transfers WHERE first_reminder <= ?1 AND shredded IS NULL ORDER BY first_reminder LIMIT ?2";
pub(super) const LAST_DUE: &str = "
    SELECT id FROM transfers
    WHERE shredded IS NULL AND expires > ?1 AND expires <= ?2 AND announced IS NOT expires
        AND (reminded IS NULL OR reminded <= ?3)
    ORDER BY expires LIMIT ?4";
const CLAIM_FIRST: &str = "
    UPDATE transfers SET first_reminder = NULL
    WHERE id = ?1 AND expires = ?2 AND shredded IS NULL AND first_reminder IS NOT NULL RETURNING number";
const CLAIM_LAST: &str = "
    UPDATE transfers SET announced = expires
    WHERE id = ?1 AND expires = ?2 AND shredded IS NULL AND announced IS NOT expires RETURNING number";
const REMINDED: &str = "UPDATE transfers SET reminded = ?2, first_reminder = NULL WHERE number = ?1";
const UNOPENED: &str = "
    SELECT 1 FROM transfer_recipients
    WHERE transfer = ?1 AND number = ?2 AND key_packet IS NOT NULL
        AND opened IS NULL AND bounced IS NULL AND recalled IS NULL";
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

pub(super) const FORGOTTEN: &str =
    "SELECT number FROM transfers WHERE shredded <= ?1 ORDER BY shredded LIMIT ?2";
/// What points at a row goes before it.
pub(super) const FORGET: [&str; 4] = [
    "DELETE FROM delivery_reports WHERE transfer = ?1",
    "DELETE FROM downloads WHERE transfer = ?1",
    "DELETE FROM transfer_recipients WHERE transfer = ?1",
    "DELETE FROM transfers WHERE number = ?1",
];
pub(super) const FORGET_THREADS: &str = "
    DELETE FROM threads WHERE hash IN (SELECT hash FROM threads WHERE created < ?1 ORDER BY created LIMIT ?2)";
/// The oldest stand first, clocks that were set back aside.
pub(super) const FORGET_AUDIT: &str = "
    DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT ?2) AND time < ?1";

/// Whether the timer may act at `now`; remembers that it asked.
pub(super) fn begin_turn(change: &mut Change<'_>, now: Timestamp) -> Result<Turn> {
    let before = change.db.query_row("SELECT trusted, doubted, seen FROM turns", [], |row| {
        let time = |column| row.get::<_, Option<Time>>(column).map(|time| time.map(|time| time.0));
        Ok(Turns { trusted: row.get::<_, Time>("trusted")?.0, doubt: time("doubted")?.zip(time("seen")?) })
    });
    let (turns, turn) = Turns::next(before.optional()?, now);
    let (doubted, seen) = turns.doubt.unzip();
    change.db.execute(
        "INSERT INTO turns (number, trusted, doubted, seen) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (number) DO UPDATE SET trusted = ?1, doubted = ?2, seen = ?3",
        params![Time(turns.trusted), doubted.map(Time), seen.map(Time)],
    )?;
    folder::set_alive(change.db, now)?;
    Ok(turn)
}

/// Transfers that may need reminders now: those whose first is due, then those that expire by `last_days` and
/// were not reminded since `quiet_since`.
pub(super) fn due_reminders(
    db: &Connection,
    now: Timestamp,
    last_days: Timestamp,
    quiet_since: Timestamp,
    most: usize,
) -> Result<Vec<DueReminder>> {
    let mut due = Vec::new();
    let mut last = db.prepare_cached(LAST_DUE)?;
    let window = params![Time(now), Time(last_days), Time(quiet_since), limit(most)];
    for transfer in last.query_map(window, |row| row.get(0))? {
        due.push(DueReminder { transfer: transfer?, occasion: Occasion::LastDays });
    }
    let mut first = db.prepare_cached(FIRST_DUE)?;
    for transfer in first.query_map(params![Time(now), limit(most)], |row| row.get(0))? {
        let due_first = DueReminder { transfer: transfer?, occasion: Occasion::HalfTime };
        if !due.iter().any(|other| other.transfer == due_first.transfer) {
            due.push(due_first);
        }
    }
    Ok(due)
}

/// Queues reminders, unless that was done before. Gives how many mails were queued.
pub(super) fn remind(change: &mut Change<'_>, reminders: Reminders) -> Result<usize> {
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
    let mut queued = 0;
    for item in &reminders.to_recipients {
        let Some(link) = &item.link else { continue };
        if change.db.prepare_cached(UNOPENED)?.exists(params![transfer, link.recipient])? {
            queue::insert(change.db, item)?;
            change.record(Actor::zegel().event(reminders.now, Action::Remind, link.to_string(), "ok"))?;
            queued += 1;
        }
    }
    // Everybody has opened it meanwhile: there is nothing to warn of.
    let to_sender = reminders.to_sender.filter(|_| queued > 0 || reminders.to_recipients.is_empty());
    if let Some(item) = to_sender {
        queue::insert(change.db, &item)?;
        let object = reminders.transfer.to_string();
        change.record(Actor::zegel().event(reminders.now, Action::Notify, object, "unopened"))?;
        queued += 1;
    }
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
    change.record(Actor::zegel().event(now, Action::Notify, link.to_string(), "download"))?;
    Ok(true)
}

/// Links of which the sender has more to hear, and was last told at or before `quiet_since`.
pub(super) fn due_downloads(db: &Connection, quiet_since: Timestamp, most: usize) -> Result<Vec<Link>> {
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

/// Forgets what has had its time, a bounded number of rows; gives how many.
pub(super) fn forget(change: &mut Change<'_>, before: Forget) -> Result<usize> {
    let transfers = change
        .db
        .prepare_cached(FORGOTTEN)?
        .query_map(params![Time(before.transfers), limit(FORGET_AT_ONCE)], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for number in &transfers {
        for step in FORGET {
            change.db.prepare_cached(step)?.execute([number])?;
        }
    }
    let mut forgotten = transfers.len();
    for (rows, time) in [(FORGET_THREADS, Some(before.threads)), (FORGET_AUDIT, before.audit)] {
        let Some(time) = time else { continue };
        forgotten += change.db.prepare_cached(rows)?.execute(params![Time(time), limit(FORGET_AT_ONCE)])?;
    }
    Ok(forgotten)
}
