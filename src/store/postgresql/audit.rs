//! The audit trail, as it is written by itself and read of one transfer.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Time, column, get, time};
use super::lent::{Connection, Parameters};
use super::{Postgres, limits};
use crate::audit::{Entry, Event, Recorded};
use crate::id::{OrganisationId, TransferId};
use crate::store::audit::VISITOR_ROWS;
use crate::store::{AuditStore, Result};

#[async_trait]
impl AuditStore for Postgres {
    async fn append_audit(&self, event: Event) -> Result<()> {
        self.write(move |change| change.record(event).boxed()).await
    }
}

/// An event is its transfer's organisation's, whose id its object begins with, or its item's.
pub(super) const INSERT: &str = "
    INSERT INTO audit (time, action, object, result, actor, origin, organisation)
    SELECT time, action, object, result, actor, origin, coalesce(
        organisation, (SELECT organisation FROM transfers WHERE id = left(new.object, 10)),
        (SELECT organisation FROM items WHERE id = new.object))
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS new (time, action, object, result, actor, origin, organisation)
    RETURNING object, organisation";

/// Objects of a transfer are its id, and its id, a slash, and more; `0` comes next after the slash.
pub(super) const TRAIL: &str = "
    SELECT time, action, object, result, actor, origin FROM audit
    WHERE action <> 'accept' AND action <> 'relay' AND object >= $1 AND object < $1 || '0'
    ORDER BY time, number";

/// Makes a row of each event, unless visitors have made enough of its kind; says in the events whose they are.
pub(super) async fn insert(db: &Connection, events: &mut [Event]) -> Result<()> {
    let mut kept = Vec::new();
    for event in events.iter() {
        if let Some(bucket) = event.bucket()
            && limits::take(db, &bucket, VISITOR_ROWS, event.time).await?.is_some()
        {
            continue;
        }
        kept.push(event);
    }
    if kept.is_empty() {
        return Ok(());
    }
    let times = column(&kept, |event| Time(event.time));
    let actions = column(&kept, |event| event.action.as_str());
    let objects = column(&kept, |event| &event.object);
    let results = column(&kept, |event| &event.result);
    let actors = column(&kept, |event| &event.actor);
    let origins = column(&kept, |event| &event.origin);
    let organisations = column(&kept, |event| &event.organisation);
    let values: Parameters<'_> = &[&times, &actions, &objects, &results, &actors, &origins, &organisations];
    let rows = db.query(INSERT, values).await?;
    let found = rows.iter().map(|row| Ok((get(row, "object")?, get(row, "organisation")?)));
    let found: HashMap<String, Option<OrganisationId>> = found.collect::<Result<_>>()?;
    for event in events.iter_mut().filter(|event| event.organisation.is_none()) {
        event.organisation = found.get(&event.object).cloned().flatten();
    }
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
