//! The queue as an administrator sees it: list, retry, drop. Called by the command line tool, mostly from
//! another process than the worker's.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::Sqlite;
use super::columns::Time;
use super::queue::{diagnostic, number, remove, reverse_path};
use super::writer::Change;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::QueueId;
use crate::store::{Problem, QueueAdmin, QueueEntry, QueueEntryRecipient, RecipientState, Result};

#[async_trait]
impl QueueAdmin for Sqlite {
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        self.list().await
    }

    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64> {
        self.wait_for_row(item.as_ref()).await?;
        self.write(move |change| retry(change, item, now, event)).await
    }

    async fn drop_item(&self, item: QueueId, event: Event) -> Result<bool> {
        self.wait_for_row(Some(&item)).await?;
        let was_there = self.write(move |change| drop_item(change, &item, event)).await?;
        // A running server does this by itself. Without one the key would stay until the next start.
        if self.journal.is_none() {
            self.destroy_unused_keys().await?;
        }
        Ok(was_there)
    }
}

/// Every item with every recipient, delivered ones too.
pub(super) fn list(db: &Connection) -> Result<Vec<QueueEntry>> {
    let mut items = db.prepare_cached("SELECT * FROM items ORDER BY created, number")?;
    let rows = items.query_map([], |row| Ok((row.get("number")?, entry(row)?)))?;
    rows.map(|row| {
        let (number, entry) = row?;
        let is_frozen = entry.problem == Some(Problem::Frozen);
        Ok(QueueEntry { recipients: recipients(db, number, is_frozen)?, ..entry })
    })
    .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<QueueEntry> {
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
        problem: row.get("problem")?,
    })
}

fn recipients(db: &Connection, item: i64, is_frozen: bool) -> Result<Vec<QueueEntryRecipient>> {
    let mut recipients = db.prepare_cached(
        "SELECT address, state, stage, code, status, answer FROM item_recipients WHERE item = ?1 ORDER BY number",
    )?;
    let mut rows = recipients.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let word = row.get_ref("state")?.as_str().map_err(rusqlite::Error::from)?;
        let state = RecipientState::read(word, is_frozen)?;
        found.push(QueueEntryRecipient { address: row.get("address")?, state, diagnostic: diagnostic(row)? });
    }
    Ok(found)
}

/// Due now, frozen or not. An item in delivery is counted, but stays claimed: its attempt is being made.
fn retry(
    change: &mut Change<'_>,
    item: Option<QueueId>,
    now: Timestamp,
    event: Option<Event>,
) -> Result<u64> {
    let changed = change.db.execute(
        "UPDATE items SET next_attempt = ?2, due = CASE WHEN claimed THEN due ELSE ?2 END, problem = NULL
         WHERE ?1 IS NULL OR id = ?1",
        params![item, Time(now)],
    )?;
    if let Some(event) = event.filter(|_| changed > 0) {
        change.record(event)?;
    }
    Ok(changed as u64)
}

/// Removes an item undelivered; the event is kept only if there was one.
pub(super) fn drop_item(change: &mut Change<'_>, item: &QueueId, event: Event) -> Result<bool> {
    let Some(number) = number(change.db, item)? else { return Ok(false) };
    // First: the event is of the item's organisation.
    change.record(event)?;
    remove(change, number)?;
    Ok(true)
}
