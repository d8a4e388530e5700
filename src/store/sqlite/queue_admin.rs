//! The queue as an administrator sees it: list, retry, drop, hold, release, send back. Called by the command line tool, mostly from
//! another process than the worker's.

use std::slice::from_ref;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::columns::{Json, Octets, Time};
use super::queue::{by_hand, diagnostic, remove, reverse_path};
use super::writer::Change;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::QueueId;
use crate::store::by_hand::Found;
use crate::store::{
    ByHand, Problem, QueueAdmin, QueueEntry, QueueEntryRecipient, RecipientState, Result, Ruling, Step,
    StepEnd,
};

#[async_trait]
impl QueueAdmin for Sqlite {
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        self.list().await
    }

    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64> {
        self.wait_for_rows(item.as_ref().map(from_ref)).await?;
        self.write(move |change| retry(change, item, now, event)).await
    }

    async fn drop_item(&self, item: QueueId, event: Event) -> Result<StepEnd> {
        self.wait_for_rows(Some(from_ref(&item))).await?;
        let end = self.write(move |change| drop_item(change, &item, event)).await?;
        // A running server does this by itself. Without one the key would stay until the next start.
        if self.journal.is_none() {
            self.destroy_unused_keys().await?;
        }
        Ok(end)
    }

    async fn take_step(
        &self,
        step: Step,
        items: Vec<(QueueId, Event)>,
        now: Timestamp,
    ) -> Result<Vec<(QueueId, StepEnd)>> {
        let names: Vec<_> = items.iter().map(|(item, _)| item.clone()).collect();
        self.wait_for_rows(Some(&names)).await?;
        self.write(move |change| {
            let take =
                |(item, event)| Ok((QueueId::clone(&item), take_step(change, &step, &item, event, now)?));
            items.into_iter().map(take).collect()
        })
        .await
    }

    async fn held(&self) -> Result<Vec<(QueueId, Ruling)>> {
        self.readers.read(held).await
    }
}

pub(super) const HELD: &str = "SELECT id, hold FROM items WHERE hold IS NOT NULL";
pub(super) const FOUND: &str =
    "SELECT number, kind, claimed, hold, bounce, held_for FROM items WHERE id = ?1";
/// An attempt that is being made ends first.
pub(super) const DECIDE: &str = "
    UPDATE items SET
        hold = ?2, bounce = ?3, held_for = ?4,
        next_attempt = CASE WHEN claimed = 1 OR ?2 IS NOT NULL THEN next_attempt ELSE ?5 END,
        due = CASE WHEN claimed = 1 THEN due WHEN ?2 IS NOT NULL THEN 9223372036854775807 ELSE ?5 END,
        problem = CASE WHEN claimed = 1 THEN problem WHEN ?2 IS NOT NULL THEN 'frozen' END
    WHERE number = ?1";

/// Every item with every recipient, delivered ones too.
pub(super) fn list(db: &Connection) -> Result<Vec<QueueEntry>> {
    let mut items = db.prepare_cached("SELECT * FROM items ORDER BY created, number")?;
    let rows = items.query_map([], |row| Ok((row.get("number")?, entry(row)?)))?;
    rows.map(|row| {
        let (number, entry) = row?;
        Ok(QueueEntry { recipients: recipients(db, number, entry.problem)?, ..entry })
    })
    .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<QueueEntry> {
    let ByHand { hold, bounce, .. } = by_hand(row)?;
    let held = hold.as_ref().map(|_| Problem::Held);
    Ok(QueueEntry {
        id: row.get("id")?,
        kind: row.get("kind")?,
        organisation: row.get("organisation")?,
        from: QueueEntry::sender(&reverse_path(row)?),
        recipients: Vec::new(),
        transfer: row.get("transfer")?,
        created: row.get::<_, Time>("created")?.0,
        attempts: row.get("attempts")?,
        next_attempt: row.get::<_, Time>("next_attempt")?.0,
        problem: held.map_or_else(|| row.get("problem"), |held| Ok(Some(held)))?,
        hold,
        bounce,
    })
}

fn recipients(db: &Connection, item: i64, problem: Option<Problem>) -> Result<Vec<QueueEntryRecipient>> {
    let mut recipients = db.prepare_cached(
        "SELECT address, state, stage, code, status, answer FROM item_recipients WHERE item = ?1 ORDER BY number",
    )?;
    let mut rows = recipients.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let word = row.get_ref("state")?.as_str().map_err(rusqlite::Error::from)?;
        let state = RecipientState::read(word, problem)?;
        found.push(QueueEntryRecipient { address: row.get("address")?, state, diagnostic: diagnostic(row)? });
    }
    Ok(found)
}

/// Due now, frozen or not, but not what is held. An item in delivery is counted, but stays claimed: its attempt is being made.
fn retry(
    change: &mut Change<'_>,
    item: Option<QueueId>,
    now: Timestamp,
    event: Option<Event>,
) -> Result<u64> {
    let changed = change.db.execute(
        "UPDATE items SET next_attempt = ?2, due = CASE WHEN claimed THEN due ELSE ?2 END, problem = NULL
         WHERE (?1 IS NULL OR id = ?1) AND hold IS NULL",
        params![item, Time(now)],
    )?;
    if let Some(event) = event.filter(|_| changed > 0) {
        change.record(event)?;
    }
    Ok(changed as u64)
}

/// Removes an item undelivered; the event is kept only if there was one.
fn drop_item(change: &mut Change<'_>, item: &QueueId, event: Event) -> Result<StepEnd> {
    let Some((number, found)) = found(change.db, item)? else { return Ok(StepEnd::NotThere) };
    // First: the event is of the item's organisation.
    change.record(event)?;
    remove(change, number)?;
    Ok(StepEnd::done(found.is_claimed))
}

fn take_step(
    change: &mut Change<'_>,
    step: &Step,
    item: &QueueId,
    event: Event,
    now: Timestamp,
) -> Result<StepEnd> {
    let Some((number, found)) = found(change.db, item)? else { return Ok(StepEnd::NotThere) };
    let ByHand { hold, bounce, held_for } = match step.after(&found, now) {
        Ok(by_hand) => by_hand,
        Err(end) => return Ok(end),
    };
    let held_for = Octets(held_for.as_micros() as u64);
    change.db.prepare_cached(DECIDE)?.execute(params![
        number,
        Json(&hold),
        Json(&bounce),
        held_for,
        Time(now)
    ])?;
    change.record(event)?;
    Ok(StepEnd::done(found.is_claimed))
}

/// An item as a decision finds it.
fn found(db: &Connection, item: &QueueId) -> Result<Option<(i64, Found)>> {
    let found = db.prepare_cached(FOUND)?.query_row([item], |row| {
        let (kind, is_claimed) = (row.get("kind")?, row.get("claimed")?);
        Ok((row.get("number")?, Found { kind, is_claimed, by_hand: by_hand(row)? }))
    });
    Ok(found.optional()?)
}

fn held(db: &Connection) -> Result<Vec<(QueueId, Ruling)>> {
    let mut held = db.prepare_cached(HELD)?;
    let rows =
        held.query_map([], |row| Ok((row.get("id")?, row.get::<_, Json<Option<Ruling>>>("hold")?.0)))?;
    let held = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(held.into_iter().filter_map(|(item, hold)| Some((item, hold?))).collect())
}
