//! What the sender may know of a transfer, and the smaller things that can be done with it: another date, a
//! notification once more, a link closed because none arrives.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use super::{limits, queue};
use crate::audit::{Action, Actor, Entry};
use crate::clock::Timestamp;
use crate::envelope::Reported;
use crate::id::{Link, TransferId};
use crate::store::{Delivery, DeliveryReport, Extension, LimitedNotice, Result, Sent, StoreError};

pub(super) const NOTIFIED: &str = "
    UPDATE transfer_recipients SET notified = ?3
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2";
/// Only a link that can be opened, and that nobody has opened yet: whoever has, has had the mail (H45).
pub(super) const BOUNCED: &str = "
    UPDATE transfer_recipients SET bounced = ?3, bounce_reason = ?4
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND key_packet IS NOT NULL AND bounced IS NULL AND opened IS NULL
    RETURNING transfer";
/// The last of each kind, so that a thousand reports are no more rows. A link that is closed needs no second word.
pub(super) const REPORTED: &str = "
    INSERT INTO delivery_reports (transfer, recipient, own, action, time, reason)
    SELECT transfer, number, ?3, ?4, ?5, ?6 FROM transfer_recipients
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2 AND bounced IS NULL
    ON CONFLICT (transfer, recipient, own, action) DO UPDATE SET time = ?5, reason = ?6, count = count + 1
    RETURNING count";
pub(super) const REPORTS: &str = "
    SELECT d.recipient, d.own, d.action, d.time, d.reason
    FROM transfers t JOIN delivery_reports d ON d.transfer = t.number WHERE t.id = ?1 ORDER BY d.recipient";
pub(super) const END_SESSIONS: &str = "DELETE FROM sessions WHERE transfer = ?1 AND recipient = ?2";
pub(super) const INVITABLE: &str = "
    SELECT t.number FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = ?1 AND t.expires > ?3 AND r.number = ?2 AND r.key_packet IS NOT NULL";
pub(super) const REOPEN: &str = "
    UPDATE transfer_recipients SET bounced = NULL, bounce_reason = NULL WHERE transfer = ?1 AND number = ?2";
pub(super) const EXTEND: &str = "
    UPDATE transfers SET expires = ?2
    WHERE id = ?1 AND shredded IS NULL AND expires > ?3";
/// Objects of a transfer are its id, and its id, a slash, and more; `0` comes next after the slash.
pub(super) const TRAIL: &str = "
    SELECT number, time, action, object, result, actor, origin FROM audit
    WHERE action <> 'accept' AND action <> 'relay' AND object >= ?1 AND object < ?1 || '0'";

/// How the delivery of a notification ended: its recipient knows of the link now, or it is closed.
pub(super) fn note_delivery(
    change: &mut Change<'_>,
    link: &Link,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<()> {
    match delivery {
        Delivery::Delivered => {
            let notified = params![link.transfer, link.recipient, Time(now)];
            change.db.prepare_cached(NOTIFIED)?.execute(notified)?;
        }
        Delivery::Failed { reason } => {
            let failed =
                DeliveryReport { own: true, action: Reported::Failed, time: now, reason: reason.clone() };
            report(change, link, &failed)?;
        }
        Delivery::Later { .. } => {}
    }
    Ok(())
}

/// Notes what a server reports of a notification: closes the link, or is kept for its sender. An event for the first
/// of each kind.
pub(super) fn report(change: &mut Change<'_>, link: &Link, report: &DeliveryReport) -> Result<bool> {
    if report.own && report.action == Reported::Failed && bounce(change, link, report)? {
        return Ok(true);
    }
    let DeliveryReport { own, action, time, reason } = report;
    let noted = params![link.transfer, link.recipient, own, action, Time(*time), reason];
    let count: Option<u32> =
        change.db.prepare_cached(REPORTED)?.query_row(noted, |row| row.get(0)).optional()?;
    if count == Some(1) {
        let result = if *own { action.as_str() } else { "forwarded copy" };
        change.record(Actor::zegel().event(*time, Action::Report, link.to_string(), result))?;
    }
    Ok(false)
}

/// Closes a link; tells whether it was open.
fn bounce(change: &mut Change<'_>, link: &Link, report: &DeliveryReport) -> Result<bool> {
    let closed = params![link.transfer, link.recipient, Time(report.time), report.reason];
    let row: Option<i64> =
        change.db.prepare_cached(BOUNCED)?.query_row(closed, |row| row.get(0)).optional()?;
    let Some(row) = row else { return Ok(false) };
    change.db.prepare_cached(END_SESSIONS)?.execute(params![row, link.recipient])?;
    change.record(Actor::zegel().event(report.time, Action::Bounce, link.to_string(), "closed"))?;
    Ok(true)
}

/// What was reported of a transfer.
pub(super) fn reports(db: &Connection, transfer: &TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
    let mut reports = db.prepare_cached(REPORTS)?;
    let rows = reports.query_map([transfer], |row| {
        let (own, action, reason) = (row.get("own")?, row.get("action")?, row.get("reason")?);
        let time = row.get::<_, Time>("time")?.0;
        Ok((row.get("recipient")?, DeliveryReport { own, action, time, reason }))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<(u16, DeliveryReport)>>>()?;
    found.sort_by_key(|(number, report)| (*number, report.time));
    Ok(found)
}

/// A new date for a transfer that is not gone.
pub(super) fn extend(change: &mut Change<'_>, extension: Extension) -> Result<bool> {
    let (expires, closed) = (Time(extension.expires), Time(extension.closed));
    let extended =
        change.db.prepare_cached(EXTEND)?.execute(params![extension.transfer, expires, closed])? > 0;
    if extended {
        change.record(extension.event)?;
    }
    Ok(extended)
}

/// Looks at the link before the limit: what cannot go out takes nothing from it.
pub(super) fn send(change: &mut Change<'_>, notice: LimitedNotice, now: Timestamp) -> Result<Sent> {
    let (db, link) = (change.db, &notice.link);
    let invitable: Option<i64> = db
        .prepare_cached(INVITABLE)?
        .query_row(params![link.transfer, link.recipient, Time(now)], |row| row.get(0))
        .optional()?;
    if notice.invites && invitable.is_none() {
        return Ok(Sent::Closed);
    }
    if let Some(again) = limits::take(change, &notice.bucket, notice.rate, now)? {
        return Ok(Sent::NotBefore(again));
    }
    let (all, most) = notice.in_all;
    if let Some(again) = limits::take(change, all, most, now)? {
        // An error, so that the link keeps the one that was just taken from it.
        return Err(StoreError::TooMany(again));
    }
    if let Some(transfer) = invitable.filter(|_| notice.invites) {
        db.prepare_cached(REOPEN)?.execute(params![transfer, link.recipient])?;
    }
    queue::insert(db, &notice.item)?;
    change.record(notice.event)?;
    Ok(Sent::Queued)
}

/// What happened to a transfer and its links.
pub(super) fn trail(db: &Connection, transfer: &TransferId) -> Result<Vec<Entry>> {
    let mut trail = db.prepare_cached(TRAIL)?;
    let rows = trail.query_map([transfer], |row| {
        let entry = Entry {
            time: row.get::<_, Time>("time")?.0,
            action: row.get("action")?,
            object: row.get("object")?,
            result: row.get("result")?,
            actor: row.get("actor")?,
            origin: row.get("origin")?,
        };
        Ok((row.get("number")?, entry))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<(i64, Entry)>>>()?;
    found.sort_by_key(|(number, entry)| (entry.time, *number));
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}
