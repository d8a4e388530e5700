//! Parts of transfers that were found to be missing or damaged: each is told once.

use super::change::Change;
use super::columns::{Number, Time, get};
use super::{items, transfers};
use crate::audit::Event;
use crate::id::TransferId;
use crate::store::{NewItem, Result};

pub(super) const LOST: &str =
    "UPDATE parts SET lost = $3 WHERE transfer = $1 AND number = $2 AND lost IS NULL";
pub(super) const FIRST: &str =
    "SELECT count(*) = 1 AS is_first FROM parts WHERE transfer = $1 AND lost IS NOT NULL";

/// Notes it, and queues the notice with the first part of a transfer; tells whether it was news. The transfer is locked: of
/// two parts at once, one is the first.
pub(super) async fn part(
    change: &mut Change,
    transfer: &TransferId,
    part: u32,
    event: Event,
    notice: Option<NewItem>,
) -> Result<bool> {
    let Some(number) = transfers::lock(&change.db, transfer).await? else { return Ok(false) };
    if change.db.execute(LOST, &[&number, &Number(part), &Time(event.time)]).await? == 0 {
        return Ok(false);
    }
    change.record(event).await?;
    let is_first: bool = get(&change.db.one(FIRST, &[&number]).await?, "is_first")?;
    if let Some(notice) = notice.filter(|_| is_first) {
        items::put(&change.db, vec![notice]).await?;
    }
    Ok(true)
}
