//! The audit trail, as it is written by itself and read of one transfer.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Time, get, time};
use super::lent::Connection;
use super::{Postgres, limits};
use crate::audit::{Entry, Event, Recorded};
use crate::id::TransferId;
use crate::store::audit::VISITOR_ROWS;
use crate::store::{AuditStore, Result};

#[async_trait]
impl AuditStore for Postgres {
    async fn append_audit(&self, event: Event) -> Result<()> {
        self.write(move |change| change.record(event).boxed()).await
    }
}

pub(super) const INSERT: &str = "
    INSERT INTO audit (time, action, object, result, actor, origin) VALUES ($1, $2, $3, $4, $5, $6)";

/// Objects of a transfer are its id, and its id, a slash, and more; `0` comes next after the slash.
pub(super) const TRAIL: &str = "
    SELECT time, action, object, result, actor, origin FROM audit
    WHERE action <> 'accept' AND action <> 'relay' AND object >= $1 AND object < $1 || '0'
    ORDER BY time, number";

/// Makes a row of an event, unless visitors have made enough of its kind.
pub(super) async fn insert(db: &Connection, event: &Event) -> Result<()> {
    if let Some(bucket) = event.bucket()
        && limits::take(db, &bucket, VISITOR_ROWS, event.time).await?.is_some()
    {
        return Ok(());
    }
    let (time, action) = (Time(event.time), event.action.as_str());
    db.execute(INSERT, &[&time, &action, &event.object, &event.result, &event.actor, &event.origin]).await?;
    Ok(())
}

/// What happened to a transfer and its links.
pub(super) async fn trail(db: &Connection, transfer: &TransferId) -> Result<Vec<Entry>> {
    db.query(TRAIL, &[transfer]).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry> {
    let action = Recorded::action(get(row, "action")?);
    Ok(Entry {
        time: time(row, "time")?,
        object: get(row, "object")?,
        result: Recorded::result(&action, get(row, "result")?),
        actor: Recorded::actor(get(row, "actor")?),
        origin: Recorded::origin(get(row, "origin")?),
        action,
    })
}
