//! What was handed out of a transfer, noted before it is. A download is one however many requests it takes, and whichever
//! nodes they come to: counted once in a session, and again after a pause. So a thousand ranges are one row and one event,
//! and nothing that a client sends keeps a fetch from being noted.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::change::Change;
use super::columns::{Number, Time, get, number, time, time_or_none};
use super::lent::Connection;
use super::{Postgres, limits, reminders, transfers};
use crate::clock::{Timestamp, earlier};
use crate::id::TransferId;
use crate::store::downloads::{NOTED, REPEATED};
use crate::store::{Download, DownloadStore, Fetch, Result, StoreError};

#[async_trait]
impl DownloadStore for Postgres {
    async fn note_download(&self, fetch: Fetch) -> Result<()> {
        self.write(move |change| noted(change, fetch).boxed()).await
    }

    async fn is_download_noted(
        &self,
        session: [u8; 32],
        what: String,
        whole: bool,
        now: Timestamp,
    ) -> Result<bool> {
        let since = Time(earlier(now, NOTED));
        self.read(move |db| {
            async move {
                let noted = db.row(NOTED_IN_SESSION, &[&&session[..], &what, &since, &whole]).await?;
                Ok(noted.is_some())
            }
            .boxed()
        })
        .await
    }
}

pub(super) const IN_SESSION: &str = "SELECT last FROM session_downloads WHERE session = $1 AND what = $2";
/// Nothing, where the session has ended.
pub(super) const NOTE_IN_SESSION: &str = "
    INSERT INTO session_downloads AS noted (session, what, last, whole)
    SELECT id, $2::text, $3::bigint, $4::boolean FROM sessions WHERE id = $1
    ON CONFLICT (session, what) DO UPDATE SET last = excluded.last, whole = noted.whole OR excluded.whole";
pub(super) const NOTED_IN_SESSION: &str = "
    SELECT 1 FROM session_downloads WHERE session = $1 AND what = $2 AND last > $3 AND whole >= $4";
pub(super) const DOWNLOADED: &str = "
    INSERT INTO downloads AS noted (transfer, recipient, part, first, last, whole)
    SELECT $1::bigint, $2::bigint, part, $4::bigint, $4, $6::boolean
    FROM (SELECT DISTINCT unnest($3::bigint[]) AS part) AS fetched
    ON CONFLICT (transfer, recipient, part) DO UPDATE SET
        last = greatest(noted.last, excluded.last), count = noted.count + $5::bigint, whole = noted.whole OR excluded.whole
    RETURNING count";
pub(super) const DOWNLOADS: &str = "
    SELECT d.recipient, d.part, d.first, d.last, d.count, d.whole
    FROM transfers t JOIN downloads d ON d.transfer = t.number WHERE t.id = $1 ORDER BY d.recipient, d.part";

/// Counts, keeps the event, and tells the sender of what is new. A recall in between has ended the session, and nothing is
/// handed out: what its proof does not name was not fetched.
async fn noted(change: &mut Change, fetch: Fetch) -> Result<()> {
    // Of two requests of a session at once, the second waits here and sees the first.
    let transfer = transfers::lock_link(&change.db, &fetch.link).await?.ok_or(StoreError::Gone)?;
    let counts = noted_in_session(&change.db, &fetch).await?;
    let is_new = counted(&change.db, transfer, &fetch, counts).await? && counts;
    let now = fetch.event.time;
    if is_new || (counts && limits::take(&change.db, &fetch.bucket(), REPEATED, now).await?.is_none()) {
        change.record(fetch.event).await?;
    }
    if let Some((notice, quiet_since)) = fetch.notice.filter(|_| is_new) {
        reminders::notice_download(change, transfer, &fetch.link, &notice, quiet_since).await?;
    }
    Ok(())
}

/// Whether it counts as another download.
async fn noted_in_session(db: &Connection, fetch: &Fetch) -> Result<bool> {
    let (session, now) = (&fetch.session[..], Time(fetch.event.time));
    let before = db.row(IN_SESSION, &[&session, &fetch.what]).await?;
    if db.execute(NOTE_IN_SESSION, &[&session, &fetch.what, &now, &fetch.whole]).await? == 0 {
        return Err(StoreError::Gone);
    }
    let last = before.map(|row| time_or_none(&row, "last")).transpose()?;
    Ok(fetch.counts(last.flatten()))
}

/// Notes its parts; tells whether one of them was fetched for the first time.
async fn counted(db: &Connection, transfer: i64, fetch: &Fetch, counts: bool) -> Result<bool> {
    let (recipient, now) = (Number(fetch.link.recipient), Time(fetch.event.time));
    let parts: Vec<_> = fetch.parts.iter().copied().map(Number).collect();
    let (transfer, more, whole) = (&transfer, i64::from(counts), &fetch.whole);
    let totals = db.query(DOWNLOADED, &[transfer, &recipient, &parts, &now, &more, whole]).await?;
    let totals = totals.iter().map(|row| number::<u32>(row, "count")).collect::<Result<Vec<_>>>()?;
    Ok(totals.contains(&1))
}

/// What was fetched of a transfer.
pub(super) async fn of(db: &Connection, transfer: &TransferId) -> Result<Vec<Download>> {
    db.query(DOWNLOADS, &[transfer]).await?.iter().map(download).collect()
}

fn download(row: &Row) -> Result<Download> {
    Ok(Download {
        recipient: number(row, "recipient")?,
        part: number(row, "part")?,
        first: time(row, "first")?,
        last: time(row, "last")?,
        count: number(row, "count")?,
        whole: get(row, "whole")?,
    })
}
