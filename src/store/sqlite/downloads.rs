//! What was handed out of a transfer, noted before it is. A download is one however many requests it takes: counted once in
//! a session, and again after a pause. So a thousand ranges are one row and one event, and nothing that a client sends
//! keeps a fetch from being noted.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use super::{Sqlite, limits, reminders};
use crate::clock::{Timestamp, earlier};
use crate::id::TransferId;
use crate::store::downloads::{NOTED, REPEATED};
use crate::store::{Download, DownloadStore, Fetch, Result, StoreError};

#[async_trait]
impl DownloadStore for Sqlite {
    async fn note_download(&self, fetch: Fetch) -> Result<()> {
        self.write(move |change| noted(change, fetch)).await
    }

    async fn is_download_noted(
        &self,
        session: [u8; 32],
        what: String,
        whole: bool,
        now: Timestamp,
    ) -> Result<bool> {
        self.readers.read(move |db| is_noted(db, session, &what, whole, now)).await
    }
}

pub(super) const IN_SESSION: &str = "SELECT last FROM session_downloads WHERE session = ?1 AND what = ?2";
/// Nothing, where the session has ended.
pub(super) const NOTE_IN_SESSION: &str = "
    INSERT INTO session_downloads (session, what, last, whole) SELECT id, ?2, ?3, ?4 FROM sessions WHERE id = ?1
    ON CONFLICT (session, what) DO UPDATE SET last = ?3, whole = max(whole, ?4)";
pub(super) const NOTED_IN_SESSION: &str = "
    SELECT 1 FROM session_downloads WHERE session = ?1 AND what = ?2 AND last > ?3 AND whole >= ?4";
pub(super) const DOWNLOADED: &str = "
    INSERT INTO downloads (transfer, recipient, part, first, last, whole)
    SELECT number, ?2, ?3, ?4, ?4, ?6 FROM transfers WHERE id = ?1
    ON CONFLICT (transfer, recipient, part)
        DO UPDATE SET last = max(last, ?4), count = count + ?5, whole = max(whole, ?6)
    RETURNING count";
pub(super) const DOWNLOADS: &str = "
    SELECT d.recipient, d.part, d.first, d.last, d.count, d.whole
    FROM transfers t JOIN downloads d ON d.transfer = t.number WHERE t.id = ?1 ORDER BY d.recipient, d.part";

/// Counts, keeps the event, and tells the sender of what is new. A recall in between has ended the session, and nothing is
/// handed out: what its proof does not name was not fetched.
fn noted(change: &mut Change<'_>, fetch: Fetch) -> Result<()> {
    let (db, now) = (change.db, fetch.event.time);
    let in_session = params![fetch.session, fetch.what];
    let last: Option<Time> =
        db.prepare_cached(IN_SESSION)?.query_row(in_session, |row| row.get(0)).optional()?;
    let in_session = params![fetch.session, fetch.what, Time(now), fetch.whole];
    if db.prepare_cached(NOTE_IN_SESSION)?.execute(in_session)? == 0 {
        return Err(StoreError::Gone);
    }
    let counts = fetch.counts(last.map(|last| last.0));
    let mut is_new = false;
    let mut count = db.prepare_cached(DOWNLOADED)?;
    for part in &fetch.parts {
        let Fetch { link, whole, .. } = &fetch;
        let fetched = params![link.transfer, link.recipient, part, Time(now), counts, whole];
        let total: Option<u32> = count.query_row(fetched, |row| row.get(0)).optional()?;
        is_new |= counts && total == Some(1);
    }
    drop(count);
    if is_new || (counts && limits::take(change.db, &fetch.bucket(), REPEATED, now)?.is_none()) {
        change.record(fetch.event)?;
    }
    if let Some((notice, quiet_since)) = fetch.notice.filter(|_| is_new) {
        reminders::notice_download(change, &fetch.link, &notice, quiet_since)?;
    }
    Ok(())
}

/// Whether it is noted already, to the minute.
fn is_noted(db: &Connection, session: [u8; 32], what: &str, whole: bool, now: Timestamp) -> Result<bool> {
    let since = Time(earlier(now, NOTED));
    Ok(db.prepare_cached(NOTED_IN_SESSION)?.exists(params![session, what, since, whole])?)
}

/// What was fetched of a transfer.
pub(super) fn of(db: &Connection, transfer: &TransferId) -> Result<Vec<Download>> {
    let mut downloads = db.prepare_cached(DOWNLOADS)?;
    let rows = downloads.query_map([transfer], |row| {
        let time = |column| row.get::<_, Time>(column).map(|time| time.0);
        let (recipient, part) = (row.get("recipient")?, row.get("part")?);
        let (count, whole) = (row.get("count")?, row.get("whole")?);
        Ok(Download { recipient, part, first: time("first")?, last: time("last")?, count, whole })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
