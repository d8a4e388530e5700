//! The end of what has had its time: at expiry the keys go, in one commit with the sessions that hold them; the blobs,
//! worthless from then on, are given up to the sweeper (C25). Each call does a bounded part of the work, and leaves rows
//! alone that another transaction has locked: they have their turn a minute later.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::change::Change;
use super::columns::{Time, get, limit, time, time_or_none};
use super::lent::{Connection, Parameters};
use super::tracking::FORGET_TRACKS;
use super::{Postgres, chain, drafts, limits, transfers};
use crate::audit::{Action, EventResult, Initiator};
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::store::retention::{ROWS_AT_ONCE, TRANSFERS_AT_ONCE};
use crate::store::{ClockGuard, ClockVerdict, Forget, Result, RetentionStore, Whose};

#[async_trait]
impl RetentionStore for Postgres {
    async fn check_clock(&self, now: Timestamp) -> Result<ClockVerdict> {
        self.write(move |change| async move { begin_turn(&change.db, now).await }.boxed()).await
    }

    async fn expire(&self, whose: Whose, closed: Timestamp, now: Timestamp) -> Result<Vec<TransferId>> {
        self.write(move |change| async move { expire(change, &whose, closed, now).await }.boxed()).await
    }

    async fn sweep_sessions(&self, idle_since: Timestamp) -> Result<u64> {
        self.read(move |db| async move { db.execute(SWEEP_SESSIONS, &[&Time(idle_since)]).await }.boxed())
            .await
    }

    async fn sweep_drafts(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64> {
        self.write(move |change| async move { drafts::sweep(&change.db, idle_since, now).await }.boxed())
            .await
    }

    async fn forget_transfers(&self, whose: Whose, shredded: Timestamp) -> Result<usize> {
        self.write(move |change| async move { forget_transfers(&change.db, &whose, shredded).await }.boxed())
            .await
    }

    async fn forget(&self, before: Forget) -> Result<usize> {
        self.write(move |change| async move { forget(&change.db, before).await }.boxed()).await
    }
}

/// Locks the row, which a first turn makes, and tells what is in it.
pub(super) const TURN: &str = "
    INSERT INTO turns (number, trusted) VALUES (1, $1) ON CONFLICT (number) DO UPDATE SET trusted = turns.trusted
    RETURNING trusted, doubted, seen";
pub(super) const KEEP_TURN: &str = "UPDATE turns SET trusted = $1, doubted = $2, seen = $3";
pub(super) const EXPIRED: &str = "
    SELECT number, id FROM transfers
    WHERE shredded IS NULL AND expires <= $1 AND coalesce(organisation = ANY($3::text[]), FALSE) = $4
    ORDER BY expires LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED";
pub(super) const SWEEP_SESSIONS: &str = "
    DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE used < $1 FOR UPDATE SKIP LOCKED)";
pub(super) const FORGOTTEN: &str = "
    SELECT number FROM transfers WHERE shredded <= $1 AND coalesce(organisation = ANY($3::text[]), FALSE) = $4
    ORDER BY shredded LIMIT $2 FOR UPDATE SKIP LOCKED";
/// What points at a row goes before it.
pub(super) const FORGET: [&str; 4] = [
    "DELETE FROM delivery_reports WHERE transfer = ANY($1)",
    "DELETE FROM downloads WHERE transfer = ANY($1)",
    "DELETE FROM transfer_recipients WHERE transfer = ANY($1)",
    "DELETE FROM transfers WHERE number = ANY($1)",
];
pub(super) const FORGET_THREADS: &str = "
    DELETE FROM threads WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM threads WHERE created < $1 ORDER BY created LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Whether the timer may act at `now`; remembers that it asked.
async fn begin_turn(db: &Connection, now: Timestamp) -> Result<ClockVerdict> {
    let row = db.one(TURN, &[&Time(now)]).await?;
    let doubt = time_or_none(&row, "doubted")?.zip(time_or_none(&row, "seen")?);
    let before = ClockGuard { trusted: time(&row, "trusted")?, doubt };
    let (turns, turn) = ClockGuard::next(Some(before), now);
    let (doubted, seen) = turns.doubt.unzip();
    db.execute(KEEP_TURN, &[&Time(turns.trusted), &doubted.map(Time), &seen.map(Time)]).await?;
    Ok(turn)
}

/// Ends transfers whose date has come, the oldest first; call again while it gives some. Limits that no
/// longer limit anything go on the same round.
async fn expire(
    change: &mut Change,
    whose: &Whose,
    closed: Timestamp,
    now: Timestamp,
) -> Result<Vec<TransferId>> {
    let (listed, is_listed) = whose.listed();
    let due: Parameters<'_> = &[&Time(closed), &limit(TRANSFERS_AT_ONCE), &listed, &is_listed];
    let rows = change.db.query(EXPIRED, due).await?;
    let numbers = rows.iter().map(|row| get(row, "number")).collect::<Result<Vec<i64>>>()?;
    let expired = rows.iter().map(|row| get(row, "id")).collect::<Result<Vec<TransferId>>>()?;
    if !numbers.is_empty() {
        transfers::shred(change, &numbers, now).await?;
    }
    let event =
        |id: &TransferId| Initiator::zegel().event(now, Action::Expire, id.to_string(), EventResult::Ok);
    change.record_all(expired.iter().map(event).collect()).await?;
    // At the end, because it waits for nobody: who counts something has locked the link before.
    limits::sweep(&change.db, now).await?;
    Ok(expired)
}

/// Forgets transfers whose time is over; gives how many.
async fn forget_transfers(db: &Connection, whose: &Whose, shredded: Timestamp) -> Result<usize> {
    let (listed, is_listed) = whose.listed();
    let over = db.query(FORGOTTEN, &[&Time(shredded), &limit(ROWS_AT_ONCE), &listed, &is_listed]).await?;
    let over = over.iter().map(|row| get(row, "number")).collect::<Result<Vec<i64>>>()?;
    if !over.is_empty() {
        for step in FORGET {
            db.execute(step, &[&over]).await?;
        }
    }
    Ok(over.len())
}

/// Forgets what else has had its time, a bounded number of rows; gives how many.
async fn forget(db: &Connection, before: Forget) -> Result<usize> {
    let (most, mut forgotten) = (limit(ROWS_AT_ONCE), 0);
    for (rows, time) in [(FORGET_THREADS, before.threads), (FORGET_TRACKS, before.tracking)] {
        forgotten += db.execute(rows, &[&Time(time), &most]).await? as usize;
    }
    if let Some(audit) = before.audit {
        forgotten += chain::forget(db, audit, before.now).await?;
    }
    Ok(forgotten)
}
