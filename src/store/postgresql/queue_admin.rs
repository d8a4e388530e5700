//! The queue as an administrator sees it: list, retry, drop. Called by the command line tool, mostly from another process than
//! the worker's.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Number, Time, get, number, time};
use super::items::{diagnostic, list, reverse_path};
use super::{Postgres, change::Change};
use crate::address::Address;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::diagnostic::{EnhancedCode, Stage};
use crate::id::QueueId;
use crate::store::{Problem, QueueAdmin, QueueEntry, QueueEntryRecipient, RecipientState, Result};

#[async_trait]
impl QueueAdmin for Postgres {
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        let rows =
            self.read(|db| async move { db.query(LIST, &[]).await?.iter().map(entry).collect() }.boxed());
        self.with_journalled(rows).await
    }

    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64> {
        self.wait_for_row(item.as_ref()).await?;
        self.write(move |change| retry(change, item, now, event).boxed()).await
    }

    async fn drop_item(&self, item: QueueId, event: Event) -> Result<bool> {
        self.wait_for_row(Some(&item)).await?;
        self.write(move |change| drop_item(change, item, event).boxed()).await
    }
}

/// Every item with every recipient, delivered ones too.
const LIST: &str = "
    SELECT id, kind, organisation, reverse_path, transfer, created, attempts, next_attempt, problem, recipients.*
    FROM items CROSS JOIN LATERAL (
        SELECT array_agg(address ORDER BY number) AS addresses, array_agg(state ORDER BY number) AS states,
            array_agg(stage ORDER BY number) AS stages, array_agg(code ORDER BY number) AS codes,
            array_agg(status ORDER BY number) AS statuses, array_agg(answer ORDER BY number) AS answers
        FROM item_recipients WHERE item = items.number) AS recipients
    ORDER BY created, number";
const RETRY: &str = "
    WITH wanted AS (SELECT number FROM items WHERE $1::text IS NULL OR id = $1 ORDER BY number FOR UPDATE)
    UPDATE items SET next_attempt = $2, due = CASE WHEN claimed THEN due ELSE $2 END, problem = NULL
    FROM wanted WHERE items.number = wanted.number";
/// With its recipients, none of whom it reaches; its blob is given up.
pub(super) const DROP: &str = "
    WITH gone AS (DELETE FROM items WHERE number = $1 RETURNING blob, id, track),
    removed AS (
        UPDATE tracking SET state = 'removed' FROM gone
        WHERE tracking.tracking = coalesce(gone.track::json->>'tracking', gone.id) AND tracking.item = gone.id
            AND tracking.state IN ('waiting', 'frozen'))
    INSERT INTO doomed (blob) SELECT blob FROM gone WHERE blob IS NOT NULL ON CONFLICT DO NOTHING";
pub(super) const NUMBER: &str = "SELECT number FROM items WHERE id = $1 FOR UPDATE";

fn entry(row: &Row) -> Result<QueueEntry> {
    let problem: Option<Problem> = get(row, "problem")?;
    Ok(QueueEntry {
        id: get(row, "id")?,
        kind: get(row, "kind")?,
        organisation: get(row, "organisation")?,
        from: QueueEntry::sender(&reverse_path(row)?),
        recipients: recipients(row, problem == Some(Problem::Frozen))?,
        transfer: get(row, "transfer")?,
        created: time(row, "created")?,
        attempts: number(row, "attempts")?,
        next_attempt: time(row, "next_attempt")?,
        problem,
    })
}

fn recipients(row: &Row, is_frozen: bool) -> Result<Vec<QueueEntryRecipient>> {
    let mut stages = list::<Option<Stage>>(row, "stages")?.into_iter();
    let mut codes = list::<Option<Number<u16>>>(row, "codes")?.into_iter();
    let mut statuses = list::<Option<EnhancedCode>>(row, "statuses")?.into_iter();
    let mut answers = list::<String>(row, "answers")?.into_iter();
    let states = list::<&str>(row, "states")?;
    let who = list::<Address>(row, "addresses")?.into_iter().zip(states);
    who.map(|(address, state)| {
        let (stage, code, status) =
            (stages.next().flatten(), codes.next().flatten(), statuses.next().flatten());
        let diagnostic = diagnostic(stage, code, status, answers.next().unwrap_or_default());
        Ok(QueueEntryRecipient { address, state: RecipientState::read(state, is_frozen)?, diagnostic })
    })
    .collect()
}

/// Due now, frozen or not. An item in delivery is counted, but stays claimed: its attempt is being made.
async fn retry(
    change: &mut Change,
    item: Option<QueueId>,
    now: Timestamp,
    event: Option<Event>,
) -> Result<u64> {
    let changed = change.db.execute(RETRY, &[&item, &Time(now)]).await?;
    if let Some(event) = event.filter(|_| changed > 0) {
        change.record(event).await?;
    }
    Ok(changed)
}

/// Removes an item undelivered; the event is kept only if there was one.
async fn drop_item(change: &mut Change, item: QueueId, event: Event) -> Result<bool> {
    let Some(row) = change.db.row(NUMBER, &[&item]).await? else { return Ok(false) };
    // First: the event is of the item's organisation.
    change.record(event).await?;
    change.db.execute(DROP, &[&get::<i64>(&row, "number")?]).await?;
    Ok(true)
}
