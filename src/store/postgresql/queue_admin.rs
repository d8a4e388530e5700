//! The queue as an administrator sees it: list, retry, drop, hold, release, send back. Called by the command line tool, mostly from another process than
//! the worker's.

use std::collections::HashMap;
use std::slice::from_ref;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Json, Number, Time, column, get, number, time};
use super::items::{by_hand, diagnostic, list, reverse_path};
use super::{Postgres, change::Change};
use crate::address::Address;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::diagnostic::{EnhancedCode, Stage};
use crate::id::QueueId;
use crate::store::by_hand::Found;
use crate::store::{
    ByHand, Problem, QueueAdmin, QueueEntry, QueueEntryRecipient, RecipientState, Result, Ruling, Step,
    StepEnd,
};

#[async_trait]
impl QueueAdmin for Postgres {
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        let rows =
            self.read(|db| async move { db.query(LIST, &[]).await?.iter().map(entry).collect() }.boxed());
        self.with_journalled(rows).await
    }

    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64> {
        self.wait_for_rows(item.as_ref().map(from_ref)).await?;
        self.write(move |change| retry(change, item, now, event).boxed()).await
    }

    async fn drop_item(&self, item: QueueId, event: Event) -> Result<StepEnd> {
        self.wait_for_rows(Some(from_ref(&item))).await?;
        self.write(move |change| drop_item(change, item, event).boxed()).await
    }

    async fn take_step(
        &self,
        step: Step,
        items: Vec<(QueueId, Event)>,
        now: Timestamp,
    ) -> Result<Vec<(QueueId, StepEnd)>> {
        self.wait_for_rows(Some(&column(&items, |(item, _)| item.clone()))).await?;
        self.write(move |change| take_step(change, step, items, now).boxed()).await
    }

    async fn held(&self) -> Result<Vec<(QueueId, Ruling)>> {
        self.read(|db| {
            async move {
                let rows = db.query(HELD, &[]).await?;
                let held = |row: &Row| Ok((get(row, "id")?, get::<Json<Option<Ruling>>>(row, "hold")?.0));
                let held = rows.iter().map(held).collect::<Result<Vec<_>>>()?;
                Ok(held.into_iter().filter_map(|(item, hold)| Some((item, hold?))).collect())
            }
            .boxed()
        })
        .await
    }
}

/// Every item with every recipient, delivered ones too.
const LIST: &str = "
    SELECT id, kind, organisation, reverse_path, transfer, created, attempts, next_attempt, problem, hold, bounce, held_for,
        recipients.*
    FROM items CROSS JOIN LATERAL (
        SELECT array_agg(address ORDER BY number) AS addresses, array_agg(state ORDER BY number) AS states,
            array_agg(stage ORDER BY number) AS stages, array_agg(code ORDER BY number) AS codes,
            array_agg(status ORDER BY number) AS statuses, array_agg(answer ORDER BY number) AS answers
        FROM item_recipients WHERE item = items.number) AS recipients
    ORDER BY created, number";
const RETRY: &str = "
    WITH wanted AS (
        SELECT number FROM items WHERE ($1::text IS NULL OR id = $1) AND hold IS NULL ORDER BY number FOR UPDATE)
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
/// In the order in which rows of the queue are locked.
pub(super) const FOUND: &str = "
    SELECT number, id, kind, claimed, hold, bounce, held_for FROM items WHERE id = ANY($1::text[])
    ORDER BY number FOR UPDATE";
pub(super) const HELD: &str = "SELECT id, hold FROM items WHERE hold IS NOT NULL ORDER BY id";
/// An attempt that is being made ends first.
pub(super) const DECIDE: &str = "
    UPDATE items SET
        hold = $2::text, bounce = $3, held_for = $4,
        next_attempt = CASE WHEN claimed OR $2 IS NOT NULL THEN next_attempt ELSE $5 END,
        due = CASE WHEN claimed THEN due WHEN $2 IS NOT NULL THEN 9223372036854775807 ELSE $5 END,
        problem = CASE WHEN claimed THEN problem WHEN $2 IS NOT NULL THEN 'frozen' END
    WHERE number = $1";

fn entry(row: &Row) -> Result<QueueEntry> {
    let ByHand { hold, bounce, .. } = by_hand(row)?;
    let problem = if hold.is_some() { Some(Problem::Held) } else { get(row, "problem")? };
    Ok(QueueEntry {
        id: get(row, "id")?,
        kind: get(row, "kind")?,
        organisation: get(row, "organisation")?,
        from: QueueEntry::sender(&reverse_path(row)?),
        recipients: recipients(row, problem)?,
        transfer: get(row, "transfer")?,
        created: time(row, "created")?,
        attempts: number(row, "attempts")?,
        next_attempt: time(row, "next_attempt")?,
        problem,
        hold,
        bounce,
    })
}

fn recipients(row: &Row, problem: Option<Problem>) -> Result<Vec<QueueEntryRecipient>> {
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
        Ok(QueueEntryRecipient { address, state: RecipientState::read(state, problem)?, diagnostic })
    })
    .collect()
}

/// Due now, frozen or not, but not what is held. An item in delivery is counted, but stays claimed: its attempt is being made.
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
async fn drop_item(change: &mut Change, item: QueueId, event: Event) -> Result<StepEnd> {
    let Some(row) = change.db.row(FOUND, &[&from_ref(&item)]).await? else { return Ok(StepEnd::NotThere) };
    // First: the event is of the item's organisation.
    change.record(event).await?;
    change.db.execute(DROP, &[&get::<i64>(&row, "number")?]).await?;
    Ok(StepEnd::done(get(&row, "claimed")?))
}

async fn take_step(
    change: &mut Change,
    step: Step,
    items: Vec<(QueueId, Event)>,
    now: Timestamp,
) -> Result<Vec<(QueueId, StepEnd)>> {
    let rows = change.db.query(FOUND, &[&column(&items, |(item, _)| item)]).await?;
    let found = rows.iter().map(|row| Ok((get(row, "id")?, found(row)?)));
    let found = found.collect::<Result<HashMap<QueueId, (i64, Found)>>>()?;
    let mut ends = Vec::with_capacity(items.len());
    for (item, event) in items {
        let end = match found.get(&item) {
            None => StepEnd::NotThere,
            Some((number, found)) => match step.after(found, now) {
                Err(end) => end,
                Ok(by_hand) => {
                    decide(change, *number, &by_hand, now).await?;
                    change.record(event).await?;
                    StepEnd::done(found.is_claimed)
                }
            },
        };
        ends.push((item, end));
    }
    Ok(ends)
}

async fn decide(change: &Change, number: i64, by_hand: &ByHand, now: Timestamp) -> Result<()> {
    let ByHand { hold, bounce, held_for } = by_hand;
    let held_for = held_for.as_micros() as i64;
    change.db.execute(DECIDE, &[&number, &Json(hold), &Json(bounce), &held_for, &Time(now)]).await?;
    Ok(())
}

/// An item as a decision finds it.
fn found(row: &Row) -> Result<(i64, Found)> {
    let (kind, is_claimed) = (get(row, "kind")?, get(row, "claimed")?);
    Ok((get(row, "number")?, Found { kind, is_claimed, by_hand: by_hand(row)? }))
}
