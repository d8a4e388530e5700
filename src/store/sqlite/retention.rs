//! The end of what has had its time. Other writers wait as long as one call takes, so each does a bounded part of the work.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::columns::{Time, limit};
use super::writer::Change;
use super::{Sqlite, access, chain, drafts, folder, tracking, transfers};
use crate::clock::Timestamp;
use crate::id::TransferId;
use crate::store::retention::ROWS_AT_ONCE;
use crate::store::{ClockGuard, ClockVerdict, Forget, Result, RetentionStore, Whose};

#[async_trait]
impl RetentionStore for Sqlite {
    async fn check_clock(&self, now: Timestamp) -> Result<ClockVerdict> {
        self.write(move |change| begin_turn(change, now)).await
    }

    async fn expire(&self, whose: Whose, closed: Timestamp, now: Timestamp) -> Result<Vec<TransferId>> {
        self.write(move |change| transfers::expire(change, &whose, closed, now)).await
    }

    async fn sweep_sessions(&self, idle_since: Timestamp) -> Result<u64> {
        self.write(move |change| access::sweep_sessions(change, idle_since)).await
    }

    async fn sweep_drafts(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64> {
        self.write(move |change| drafts::sweep(change, idle_since, now)).await
    }

    async fn forget_transfers(&self, whose: Whose, shredded: Timestamp) -> Result<usize> {
        self.write(move |change| forget_transfers(change, &whose, shredded)).await
    }

    async fn forget(&self, before: Forget) -> Result<usize> {
        self.write(move |change| forget(change, before)).await
    }
}

pub(super) const FORGOTTEN: &str = "
    SELECT number FROM transfers
    WHERE shredded <= ?1 AND coalesce(instr(?3, char(10) || organisation || char(10)) > 0, 0) = ?4
    ORDER BY shredded LIMIT ?2";

/// What points at a row goes before it.
pub(super) const FORGET: [&str; 4] = [
    "DELETE FROM delivery_reports WHERE transfer = ?1",
    "DELETE FROM downloads WHERE transfer = ?1",
    "DELETE FROM transfer_recipients WHERE transfer = ?1",
    "DELETE FROM transfers WHERE number = ?1",
];

pub(super) const FORGET_THREADS: &str = "
    DELETE FROM threads WHERE hash IN (SELECT hash FROM threads WHERE created < ?1 ORDER BY created LIMIT ?2)";

/// Whether the timer may act at `now`; remembers that it asked.
fn begin_turn(change: &mut Change<'_>, now: Timestamp) -> Result<ClockVerdict> {
    let before = change.db.query_row("SELECT trusted, doubted, seen FROM turns", [], |row| {
        let time = |column| row.get::<_, Option<Time>>(column).map(|time| time.map(|time| time.0));
        Ok(ClockGuard {
            trusted: row.get::<_, Time>("trusted")?.0,
            doubt: time("doubted")?.zip(time("seen")?),
        })
    });
    let (turns, turn) = ClockGuard::next(before.optional()?, now);
    let (doubted, seen) = turns.doubt.unzip();
    change.db.execute(
        "INSERT INTO turns (number, trusted, doubted, seen) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (number) DO UPDATE SET trusted = ?1, doubted = ?2, seen = ?3",
        params![Time(turns.trusted), doubted.map(Time), seen.map(Time)],
    )?;
    folder::set_alive(change.db, now)?;
    Ok(turn)
}

/// Forgets transfers whose time is over; gives how many.
fn forget_transfers(change: &mut Change<'_>, whose: &Whose, shredded: Timestamp) -> Result<usize> {
    let (lines, (_, is_listed)) = (whose.lines(), whose.listed());
    let transfers = change
        .db
        .prepare_cached(FORGOTTEN)?
        .query_map(params![Time(shredded), limit(ROWS_AT_ONCE), lines, is_listed], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for number in &transfers {
        for step in FORGET {
            change.db.prepare_cached(step)?.execute([number])?;
        }
    }
    Ok(transfers.len())
}

/// Forgets what else has had its time, a bounded number of rows; gives how many.
fn forget(change: &mut Change<'_>, before: Forget) -> Result<usize> {
    let mut forgotten = 0;
    for (rows, time) in [(FORGET_THREADS, before.threads), (tracking::FORGET_TRACKS, before.tracking)] {
        forgotten += change.db.prepare_cached(rows)?.execute(params![Time(time), limit(ROWS_AT_ONCE)])?;
    }
    if let Some(audit) = before.audit {
        forgotten += chain::forget(change.db, audit, before.now)?;
    }
    Ok(forgotten)
}
