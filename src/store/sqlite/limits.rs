//! Rate limits. The arithmetic is in `crate::limits`; here is the memory of it.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::columns::Time;
use crate::clock::Timestamp;
use crate::limits::Rate;
use crate::store::{RateStore, Result};

#[async_trait]
impl RateStore for Sqlite {
    async fn check_rate(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>> {
        self.write(move |change| take(change.db, &bucket, rate, now)).await
    }
}

pub(super) const ARRIVAL: &str = "SELECT arrival FROM limits WHERE bucket = ?1";
pub(super) const KEEP: &str = "
    INSERT INTO limits (bucket, arrival) VALUES (?1, ?2) ON CONFLICT (bucket) DO UPDATE SET arrival = ?2";
pub(super) const SWEEP: &str = "
    DELETE FROM limits WHERE bucket IN (SELECT bucket FROM limits WHERE arrival <= ?1 ORDER BY arrival LIMIT 10000)";

/// Takes one; `Some` is when there will be one again. What is refused leaves the bucket as it is.
pub(super) fn take(db: &Connection, bucket: &str, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>> {
    let arrival: Option<Time> =
        db.prepare_cached(ARRIVAL)?.query_row([bucket], |row| row.get(0)).optional()?;
    match rate.take(arrival.map(|arrival| arrival.0), now) {
        Ok(arrival) => {
            db.prepare_cached(KEEP)?.execute(params![bucket, Time(arrival)])?;
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
