//! Drafts: rows that belong to one author, and what was sent of them.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Octets, Time, limit};
use super::writer::Change;
use super::{Sqlite, limits};
use crate::clock::{Timestamp, earlier, later};
use crate::store::drafts::{ANSWER_WINDOW, ANSWERS_IN_ALL, DRAFTS_IN_ALL, DraftRoom, WAIT_FOR_ROOM};
use crate::store::retention::DRAFTS_AT_ONCE;
use crate::store::room::DiskShare;
use crate::store::verification::CODE_WINDOW;
use crate::store::{Author, DraftRow, DraftStore, EndedDraft, PieceRow, Result, StoreError, UploadRow};

#[async_trait]
impl DraftStore for Sqlite {
    async fn draft(&self, author: Author) -> Result<Option<DraftRow>> {
        self.readers.read(move |db| find(db, &author)).await
    }

    async fn save_draft(
        &self,
        author: Author,
        typed: Vec<u8>,
        former: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<()> {
        self.check_room(DiskShare::Pages).await?;
        self.write(move |change| replace(change, &author, &typed, former.as_deref(), now)).await
    }

    async fn last_reply(&self, author: Author, since: Timestamp) -> Result<Option<Vec<u8>>> {
        self.readers.read(move |db| last_reply(db, &author, since)).await
    }
}

/// The link of an author, as long as it is open.
pub(super) const OPEN_LINK: &str = "
    SELECT r.transfer FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = ?1 AND r.number = ?2 AND r.key_packet IS NOT NULL AND r.recalled IS NULL AND t.expires > ?3";
pub(super) const DRAFT: &str = "
    SELECT d.number, d.typed, d.revision FROM drafts d JOIN transfers t ON t.number = d.transfer
    WHERE t.id = ?1 AND d.recipient = ?2 AND d.browser = ?3";
pub(super) const UPLOADS: &str =
    "SELECT number, id, facts, length, offset, scanned FROM uploads WHERE draft = ?1 ORDER BY number";
pub(super) const PIECES: &str = "SELECT blob, size FROM pieces WHERE upload = ?1 ORDER BY number";
const SAVE: &str = "
    INSERT INTO drafts (transfer, recipient, browser, typed, used) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (transfer, recipient, browser) DO UPDATE SET
        typed = coalesce(excluded.typed, typed), used = max(used, excluded.used), revision = revision + 1
    RETURNING number";
/// How many drafts there are behind a link, and in all, as far as that matters.
pub(super) const DRAFTS_HERE: &str = "SELECT count(*) FROM drafts WHERE transfer = ?1 AND recipient = ?2";
const DRAFTS: &str = "SELECT count(*) FROM (SELECT 1 FROM drafts LIMIT ?1)";
/// The draft behind a link that was not touched for longest, of browsers that have proved no address. They are
/// sorted, as many as there may be.
const STALEST: &str = "
    SELECT d.number FROM drafts d WHERE d.transfer = ?1 AND d.recipient = ?2
        AND NOT EXISTS (SELECT 1 FROM browsers b WHERE b.browser = d.browser AND b.until > ?3)
    ORDER BY d.used LIMIT 1";
pub(super) const DROP: &str = "DELETE FROM drafts WHERE number = ?1";
pub(super) const TOUCH: &str =
    "UPDATE drafts SET used = max(used, ?2), revision = revision + 1 WHERE number = ?1";
pub(super) const IDLE: &str = "
    DELETE FROM drafts WHERE number IN (SELECT number FROM drafts WHERE used < ?1 ORDER BY used LIMIT ?2)";
pub(super) const END: &str = "DELETE FROM drafts WHERE number = ?1 AND revision = ?2";
pub(super) const SUMMARY: &str = "
    SELECT r.summary FROM replies r JOIN transfers t ON t.number = r.transfer
    WHERE t.id = ?1 AND r.recipient = ?2 AND r.browser = ?3 AND r.time > ?4 ORDER BY r.number DESC LIMIT 1";
pub(super) const REPLIES: &str = "SELECT count(*), min(time) FROM replies WHERE transfer = ?1 AND time > ?2";

/// The draft of an author.
pub(super) fn find(db: &Connection, author: &Author) -> Result<Option<DraftRow>> {
    let Some(Head { number, typed, revision }) = draft(db, author)? else { return Ok(None) };
    let mut uploads = db.prepare_cached(UPLOADS)?;
    let rows = uploads.query_map([number], |row| {
        let upload = UploadRow {
            id: row.get("id")?,
            facts: row.get("facts")?,
            length: row.get::<_, Option<Octets>>("length")?.map(|length| length.0),
            offset: row.get::<_, Octets>("offset")?.0,
            is_scanned: row.get::<_, Option<Time>>("scanned")?.is_some(),
            pieces: Vec::new(),
        };
        Ok((row.get::<_, i64>("number")?, upload))
    })?;
    let mut uploads = Vec::new();
    for row in rows {
        let (number, upload) = row?;
        uploads.push(UploadRow { pieces: pieces(db, number)?, ..upload });
    }
    Ok(Some(DraftRow { typed, revision, uploads }))
}

/// A row of `drafts`.
pub(super) struct Head {
    pub number: i64,
    typed: Option<Vec<u8>>,
    revision: u64,
}

pub(super) fn draft(db: &Connection, author: &Author) -> Result<Option<Head>> {
    let (link, browser) = (&author.link, &author.browser);
    let found = db.prepare_cached(DRAFT)?.query_row(params![link.transfer, link.recipient, browser], |row| {
        let revision = row.get::<_, Octets>("revision")?.0;
        Ok(Head { number: row.get("number")?, typed: row.get("typed")?, revision })
    });
    Ok(found.optional()?)
}

fn pieces(db: &Connection, upload: i64) -> Result<Vec<PieceRow>> {
    let mut pieces = db.prepare_cached(PIECES)?;
    let rows = pieces
        .query_map([upload], |row| Ok(PieceRow { blob: row.get(0)?, size: row.get::<_, Octets>(1)?.0 }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The number of the transfer behind an author's link, as long as the link is open.
pub(super) fn open_link(db: &Connection, author: &Author, now: Timestamp) -> Result<i64> {
    let link = &author.link;
    let found = db
        .prepare_cached(OPEN_LINK)?
        .query_row(params![link.transfer, link.recipient, Time(now)], |row| row.get(0));
    found.optional()?.ok_or(StoreError::Gone)
}

/// Keeps what was typed, unless another request was quicker.
fn replace(
    change: &mut Change<'_>,
    author: &Author,
    typed: &[u8],
    former: Option<&[u8]>,
    now: Timestamp,
) -> Result<()> {
    let there = draft(change.db, author)?.and_then(|head| head.typed);
    if there.as_deref() != former {
        return Err(StoreError::Changed);
    }
    save(change, author, Some(typed), now).map(drop)
}

/// Keeps what was typed, where there is something, and makes the draft where there is none.
pub(super) fn save(
    change: &mut Change<'_>,
    author: &Author,
    typed: Option<&[u8]>,
    now: Timestamp,
) -> Result<i64> {
    let transfer = open_link(change.db, author, now)?;
    if draft(change.db, author)?.is_none() {
        make_room(change.db, transfer, author.link.recipient, now)?;
    }
    let values = params![transfer, author.link.recipient, author.browser, typed, Time(now)];
    Ok(change.db.prepare_cached(SAVE)?.query_row(values, |row| row.get(0))?)
}

/// Before a new draft.
fn make_room(db: &Connection, transfer: i64, recipient: u16, now: Timestamp) -> Result<()> {
    let full = || StoreError::TooMany(later(now, WAIT_FOR_ROOM));
    let behind_link: u32 =
        db.prepare_cached(DRAFTS_HERE)?.query_row(params![transfer, recipient], |row| row.get(0))?;
    let in_all: u32 = db.prepare_cached(DRAFTS)?.query_row([DRAFTS_IN_ALL], |row| row.get(0))?;
    match DraftRoom::of(behind_link, in_all) {
        DraftRoom::Free => {}
        DraftRoom::Full => return Err(full()),
        DraftRoom::InPlaceOfStalest => {
            let stalest: Option<i64> = db
                .prepare_cached(STALEST)?
                .query_row(params![transfer, recipient, Time(now)], |row| row.get(0))
                .optional()?;
            db.prepare_cached(DROP)?.execute([stalest.ok_or_else(full)?])?;
        }
    }
    Ok(())
}

/// The draft has become an answer. One that was changed since it was read, or was sent by another click, has not.
pub(super) fn end(change: &mut Change<'_>, ended: &EndedDraft) -> Result<()> {
    let (author, db) = (&ended.author, change.db);
    let transfer = open_link(db, author, ended.time)?;
    let Head { number, .. } = draft(db, author)?.ok_or(StoreError::Changed)?;
    if db.prepare_cached(END)?.execute(params![number, Octets(ended.revision)])? == 0 {
        return Err(StoreError::Changed);
    }
    let since = Time(earlier(ended.time, ANSWER_WINDOW));
    let (sent, first) = db.prepare_cached(REPLIES)?.query_row(params![transfer, since], |row| {
        Ok((row.get(0)?, row.get::<_, Option<Time>>(1)?.map(|time| time.0)))
    })?;
    if let Some(until) = ended.wait(sent, first) {
        return Err(StoreError::TooMany(until));
    }
    if let Some(until) = limits::take(change.db, "replies", ANSWERS_IN_ALL, ended.time)? {
        return Err(StoreError::TooMany(until));
    }
    db.prepare_cached(
        "INSERT INTO replies (transfer, recipient, browser, time, summary) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        transfer,
        author.link.recipient,
        author.browser,
        Time(ended.time),
        ended.summary
    ])?;
    Ok(())
}

/// The summary of the last answer since then.
fn last_reply(db: &Connection, author: &Author, since: Timestamp) -> Result<Option<Vec<u8>>> {
    let link = &author.link;
    let mut last = db.prepare_cached(SUMMARY)?;
    let found =
        last.query_row(params![link.transfer, link.recipient, author.browser, Time(since)], |row| row.get(0));
    Ok(found.optional()?)
}

/// Ends what has had its time.
pub(super) fn sweep(change: &mut Change<'_>, idle_since: Timestamp, now: Timestamp) -> Result<u64> {
    let before = |span| Time(earlier(now, span));
    let db = change.db;
    let mut swept = db.prepare_cached(IDLE)?.execute(params![Time(idle_since), limit(DRAFTS_AT_ONCE)])?;
    swept += db.execute(
        "DELETE FROM codes WHERE since <= ?1 AND expires <= ?2",
        params![before(CODE_WINDOW), Time(now)],
    )?;
    swept += db.execute("DELETE FROM code_mails WHERE time <= ?1", [before(CODE_WINDOW)])?;
    swept += db.execute("DELETE FROM browsers WHERE until <= ?1", [Time(now)])?;
    swept += db.execute("DELETE FROM replies WHERE time <= ?1", [before(ANSWER_WINDOW)])?;
    Ok(swept as u64)
}
