//! Rate limits. The arithmetic is in `crate::limits`; here is the memory of it, which all nodes share.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::Postgres;
use super::columns::{Time, time_or_none};
use super::lent::Connection;
use crate::clock::Timestamp;
use crate::limits::Rate;
use crate::store::{RateStore, Result};

#[async_trait]
impl RateStore for Postgres {
    async fn check_rate(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>> {
        self.write(move |change| async move { take(&change.db, &bucket, rate, now).await }.boxed()).await
    }
}

/// Locks the bucket until the transaction ends, and tells what is in it.
pub(super) const ARRIVAL: &str = "
    INSERT INTO limits (bucket) VALUES ($1) ON CONFLICT (bucket) DO UPDATE SET arrival = limits.arrival
    RETURNING arrival";
pub(super) const KEEP: &str = "UPDATE limits SET arrival = $2 WHERE bucket = $1";
pub(super) const SWEEP: &str = "
    DELETE FROM limits WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM limits WHERE arrival <= $1 ORDER BY arrival LIMIT 10000 FOR UPDATE SKIP LOCKED))";

/// Takes one; `Some` is when there will be one again. What is refused leaves the bucket as it is.
pub(super) async fn take(
    db: &Connection,
    bucket: &str,
    rate: Rate,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let arrival = time_or_none(&db.one(ARRIVAL, &[&bucket]).await?, "arrival")?;
    match rate.take(arrival, now) {
        Ok(arrival) => {
            db.execute(KEEP, &[&bucket, &Time(arrival)]).await?;
            Ok(None)
        }
        Err(again) => Ok(Some(again)),
    }
}

/// Forgets buckets that are full again: they say what no row says, too.
pub(super) async fn sweep(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute(SWEEP, &[&Time(now)]).await?;
    Ok(())
}
