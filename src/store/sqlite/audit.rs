//! The audit trail, as it is written by itself and read of one transfer.

use async_trait::async_trait;
use rusqlite::Connection;

use super::Sqlite;
use super::columns::Time;
use crate::audit::{Entry, Event, Recorded};
use crate::id::TransferId;
use crate::store::{AuditStore, Result};

#[async_trait]
impl AuditStore for Sqlite {
    async fn append_audit(&self, event: Event) -> Result<()> {
        self.write(move |change| change.record(event)).await
    }
}

/// Objects of a transfer are its id, and its id, a slash, and more; `0` comes next after the slash.
pub(super) const TRAIL: &str = "
    SELECT number, time, action, object, result, actor, origin FROM audit
    WHERE action <> 'accept' AND action <> 'relay' AND object >= ?1 AND object < ?1 || '0'";

/// What happened to a transfer and its links.
pub(super) fn trail(db: &Connection, transfer: &TransferId) -> Result<Vec<Entry>> {
    let mut trail = db.prepare_cached(TRAIL)?;
    let rows = trail.query_map([transfer], |row| {
        let action = Recorded::action(row.get("action")?);
        let entry = Entry {
            time: row.get::<_, Time>("time")?.0,
            object: row.get("object")?,
            result: Recorded::result(&action, row.get("result")?),
            actor: Recorded::actor(row.get("actor")?),
            origin: Recorded::origin(row.get("origin")?),
            action,
        };
        Ok((row.get("number")?, entry))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<(i64, Entry)>>>()?;
    found.sort_by_key(|(number, entry)| (entry.time, *number));
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}
