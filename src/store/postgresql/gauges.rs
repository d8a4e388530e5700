//! Figures; counted, so for a scrape now and then, not for a request.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::Postgres;
use super::columns::{Time, get, number, time_or_none};
use super::items::diagnostic;
use super::lent::Connection;
use crate::clock::Timestamp;
use crate::store::room::Disk;
use crate::store::{GaugeStore, Gauges, ProblemGauge, QueueGauge, Result, Sharer};

#[async_trait]
impl GaugeStore for Postgres {
    async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        let mut gauges = self.read(move |db| gauges(db, now).boxed()).await?;
        self.add_journal(&mut gauges);
        Ok(gauges)
    }

    /// Rows are on the database's disk, which its administrator watches. When it is full, new mail is told to come later.
    async fn disk(&self) -> Result<Disk> {
        Ok(Disk::ELSEWHERE)
    }
}

pub(super) const QUEUED: &str = "
    SELECT kind, organisation, count(*) AS items,
        min(created + held_for) FILTER (WHERE problem IS DISTINCT FROM 'frozen') AS oldest,
        min(next_attempt) FILTER (WHERE problem IS DISTINCT FROM 'frozen') AS due
    FROM items GROUP BY kind, organisation";
pub(super) const TRANSFERS: &str = "
    SELECT organisation, count(*) AS transfers FROM transfers WHERE shredded IS NULL GROUP BY organisation";
pub(super) const LOCKED: &str = "SELECT count(*) AS locked FROM transfer_recipients WHERE locked_until > $1";
/// Of each problem, why the newest item waits.
pub(super) const PROBLEMS: &str = "
    SELECT problem, items, stage, code, status, answer
    FROM (
        SELECT CASE WHEN hold IS NULL THEN problem ELSE 'held' END AS problem, count(*) AS items, max(number) AS newest
        FROM items WHERE problem IS NOT NULL GROUP BY 1) AS problems
    LEFT JOIN LATERAL (
        SELECT stage, code, status, answer FROM item_recipients
        WHERE item = newest AND state = 'waiting' ORDER BY number LIMIT 1) AS why ON TRUE";

async fn gauges(db: &Connection, now: Timestamp) -> Result<Gauges> {
    let rows = db.query(QUEUED, &[]).await?;
    let queue = rows.iter().map(queue).collect::<Result<Vec<_>>>()?;
    let oldest = rows.iter().map(|row| time_or_none(row, "oldest")).collect::<Result<Vec<_>>>()?;
    let transfers = db.query(TRANSFERS, &[]).await?;
    let of_each = transfers.iter().map(|row| Ok((get(row, "organisation")?, number(row, "transfers")?)));
    let transfers_of = of_each.collect::<Result<Vec<(Sharer, u64)>>>()?;
    Ok(Gauges {
        queued: queue.iter().map(|of| of.items).sum(),
        oldest_queued: oldest.into_iter().flatten().min(),
        queue,
        transfers: transfers_of.iter().map(|(_, count)| count).sum(),
        transfers_of,
        locked_links: number(&db.one(LOCKED, &[&Time(now)]).await?, "locked")?,
        problems: db.query(PROBLEMS, &[]).await?.iter().map(problem).collect::<Result<_>>()?,
    })
}

fn queue(row: &Row) -> Result<QueueGauge> {
    let (kind, organisation) = (get(row, "kind")?, get(row, "organisation")?);
    Ok(QueueGauge { kind, organisation, items: number(row, "items")?, due: time_or_none(row, "due")? })
}

fn problem(row: &Row) -> Result<ProblemGauge> {
    let text = get::<Option<_>>(row, "answer")?.unwrap_or_default();
    let diagnostic = diagnostic(get(row, "stage")?, get(row, "code")?, get(row, "status")?, text);
    Ok(ProblemGauge { problem: get(row, "problem")?, items: number(row, "items")?, diagnostic })
}
