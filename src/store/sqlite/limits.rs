//! Rate limits and figures. The arithmetic is in `crate::limits`; here is the memory of it.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use crate::clock::Timestamp;
use crate::limits::Rate;
use crate::store::{Gauges, ProblemGauge, Result};

pub(super) const ARRIVAL: &str = "SELECT arrival FROM limits WHERE bucket = ?1";
pub(super) const KEEP: &str = "
    INSERT INTO limits (bucket, arrival) VALUES (?1, ?2) ON CONFLICT (bucket) DO UPDATE SET arrival = ?2";
pub(super) const SWEEP: &str = "
    DELETE FROM limits WHERE bucket IN (SELECT bucket FROM limits WHERE arrival <= ?1 ORDER BY arrival LIMIT 10000)";

/// Takes one; `Some` is when there will be one again. What is refused leaves the bucket as it is.
pub(super) fn take(
    change: &mut Change<'_>,
    bucket: &str,
    rate: Rate,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let arrival: Option<Time> =
        change.db.prepare_cached(ARRIVAL)?.query_row([bucket], |row| row.get(0)).optional()?;
    match rate.take(arrival.map(|arrival| arrival.0), now) {
        Ok(arrival) => {
            change.db.prepare_cached(KEEP)?.execute(params![bucket, Time(arrival)])?;
            Ok(None)
        }
        Err(again) => Ok(Some(again)),
    }
}

/// Forgets buckets that are full again: they say what no row says, too.
pub(super) fn sweep(db: &Connection, now: Timestamp) -> Result<()> {
    db.prepare_cached(SWEEP)?.execute([Time(now)])?;
    Ok(())
}

const OLDEST: &str = "SELECT count(*), min(CASE WHEN problem IS NOT 'frozen' THEN created END) FROM items";
pub(super) const PROBLEMS: &str =
    "SELECT problem, count(*), max(number) FROM items WHERE problem IS NOT NULL GROUP BY problem";
const WHY: &str = "
    SELECT answer FROM item_recipients WHERE item = ?1 AND state = 'waiting' ORDER BY number LIMIT 1";

/// Figures; counted, so for a scrape now and then, not for a request.
pub(super) fn gauges(db: &Connection, now: Timestamp) -> Result<Gauges> {
    let (queued, oldest) =
        db.query_row(OLDEST, [], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Option<Time>>(1)?)))?;
    let transfers: u32 =
        db.query_row("SELECT count(*) FROM transfers WHERE shredded IS NULL", [], |row| row.get(0))?;
    let locked: u32 = db.query_row(
        "SELECT count(*) FROM transfer_recipients WHERE locked_until > ?1",
        [Time(now)],
        |row| row.get(0),
    )?;
    Ok(Gauges {
        queued: queued.into(),
        oldest_queued: oldest.map(|oldest| oldest.0),
        transfers: transfers.into(),
        locked_links: locked.into(),
        problems: problems(db)?,
    })
}

fn problems(db: &Connection) -> Result<Vec<ProblemGauge>> {
    let mut found = db.prepare_cached(PROBLEMS)?;
    let rows = found.query_map([], |row| {
        let newest: i64 = row.get(2)?;
        let reason = db.prepare_cached(WHY)?.query_row([newest], |row| row.get(0)).optional()?;
        Ok(ProblemGauge {
            problem: row.get(0)?,
            items: row.get::<_, u32>(1)?.into(),
            reason: reason.unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
