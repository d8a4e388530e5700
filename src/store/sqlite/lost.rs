//! Parts of transfers that were found to be missing or damaged: each is told once.

use rusqlite::params;

use super::columns::Time;
use super::queue;
use super::writer::Change;
use crate::audit::Event;
use crate::id::TransferId;
use crate::store::{NewItem, Result};

pub(super) const LOST: &str = "
    UPDATE parts SET lost = ?3
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2 AND lost IS NULL";
pub(super) const FIRST: &str = "
    SELECT count(*) = 1 FROM parts
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND lost IS NOT NULL";

/// Notes it, and queues the notice with the first part of a transfer; tells whether it was news.
pub(super) fn part(
    change: &mut Change<'_>,
    transfer: &TransferId,
    part: u32,
    event: Event,
    notice: Option<NewItem>,
) -> Result<bool> {
    if change.db.prepare_cached(LOST)?.execute(params![transfer, part, Time(event.time)])? == 0 {
        return Ok(false);
    }
    change.record(event)?;
    let first: bool = change.db.prepare_cached(FIRST)?.query_row([transfer], |row| row.get(0))?;
    if let Some(notice) = notice.filter(|_| first) {
        queue::insert(change.db, &notice)?;
    }
    Ok(true)
}
