//! Figures; counted, so for a scrape now and then, not for a request.

use std::io;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::columns::Time;
use super::{Sqlite, queue};
use crate::clock::Timestamp;
use crate::store::room::Disk;
use crate::store::{GaugeStore, Gauges, ProblemGauge, QueueGauge, Result, Sharer, StoreError};

#[async_trait]
impl GaugeStore for Sqlite {
    async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        let mut gauges = self.readers.read(move |db| gauges(db, now)).await?;
        self.add_journal(&mut gauges);
        Ok(gauges)
    }

    async fn disk(&self) -> Result<Disk> {
        self.disk_for_rows().await
    }

    async fn check_writable(&self) -> Result<()> {
        if let Some(why) = self.journal_trouble() {
            return Err(StoreError::File(io::Error::other(why)));
        }
        self.due.is_writable(self.writer.run(|_| Ok(()))).await
    }
}

const QUEUE: &str = "
    SELECT kind, count(*), min(CASE WHEN problem IS NOT 'frozen' THEN next_attempt END),
        min(CASE WHEN problem IS NOT 'frozen' THEN created + held_for END), organisation
    FROM items GROUP BY kind, organisation";

const TRANSFERS: &str =
    "SELECT organisation, count(*) FROM transfers WHERE shredded IS NULL GROUP BY organisation";

pub(super) const PROBLEMS: [&str; 2] = [
    "SELECT problem, count(*), max(number) FROM items WHERE problem IS NOT NULL AND hold IS NULL GROUP BY problem",
    "SELECT 'held', count(*), max(number) FROM items WHERE hold IS NOT NULL",
];

const WHY: &str = "
    SELECT stage, code, status, answer FROM item_recipients
    WHERE item = ?1 AND state = 'waiting' ORDER BY number LIMIT 1";

/// Figures; counted, so for a scrape now and then, not for a request.
fn gauges(db: &Connection, now: Timestamp) -> Result<Gauges> {
    let (queue, oldest) = queue(db)?;
    let mut of_each = db.prepare_cached(TRANSFERS)?;
    let of_each = of_each.query_map([], |row| Ok((row.get(0)?, u64::from(row.get::<_, u32>(1)?))))?;
    let transfers_of = of_each.collect::<rusqlite::Result<Vec<(Sharer, u64)>>>()?;
    let locked: u32 = db.query_row(
        "SELECT count(*) FROM transfer_recipients WHERE locked_until > ?1",
        [Time(now)],
        |row| row.get(0),
    )?;
    Ok(Gauges {
        queued: queue.iter().map(|of| of.items).sum(),
        oldest_queued: oldest,
        queue,
        transfers: transfers_of.iter().map(|(_, count)| count).sum(),
        transfers_of,
        locked_links: locked.into(),
        problems: problems(db)?,
    })
}

/// By kind, and when the oldest was accepted.
fn queue(db: &Connection) -> Result<(Vec<QueueGauge>, Option<Timestamp>)> {
    let mut found = db.prepare_cached(QUEUE)?;
    let rows = found.query_map([], |row| {
        let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<Time>>(column)?.map(|time| time.0));
        let (kind, organisation) = (row.get(0)?, row.get(4)?);
        let gauge = QueueGauge { kind, organisation, items: row.get::<_, u32>(1)?.into(), due: time(2)? };
        Ok((gauge, time(3)?))
    })?;
    let (queue, oldest): (Vec<_>, Vec<_>) = rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().unzip();
    Ok((queue, oldest.into_iter().flatten().min()))
}

fn problems(db: &Connection) -> Result<Vec<ProblemGauge>> {
    let mut all = Vec::new();
    for statement in PROBLEMS {
        let mut found = db.prepare_cached(statement)?;
        let rows = found.query_map([], |row| {
            let newest: Option<i64> = row.get(2)?;
            let diagnostic = db.prepare_cached(WHY)?.query_row([newest], queue::diagnostic).optional()?;
            Ok(ProblemGauge {
                problem: row.get(0)?,
                items: row.get::<_, u32>(1)?.into(),
                diagnostic: diagnostic.flatten(),
            })
        })?;
        all.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    all.retain(|gauge| gauge.items > 0);
    Ok(all)
}
