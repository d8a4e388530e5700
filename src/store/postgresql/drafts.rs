//! Drafts: rows that belong to one author, and what was sent of them. Everything that changes a draft locks its link first,
//! so that whatever two nodes do behind one link is done one after the other, and its limits hold.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::columns::{Number, Time, get, limit, number, time, time_or_none};
use super::lent::Connection;
use super::locks::Lock;
use super::{Postgres, blobs, limits, transfers};
use crate::clock::{Timestamp, earlier, later};
use crate::store::drafts::{ANSWER_WINDOW, ANSWERS_IN_ALL, DRAFTS_IN_ALL, DraftRoom, WAIT_FOR_ROOM};
use crate::store::retention::{DRAFTS_AT_ONCE, ROWS_AT_ONCE};
use crate::store::verification::CODE_WINDOW;
use crate::store::{
    Author, DraftRow, DraftStore, EndedDraft, INTENT_LASTS, PieceRow, Result, StoreError, UploadRow,
};

#[async_trait]
impl DraftStore for Postgres {
    async fn draft(&self, author: Author) -> Result<Option<DraftRow>> {
        self.read(move |db| async move { find(db, &author).await }.boxed()).await
    }

    async fn save_draft(
        &self,
        author: Author,
        typed: Vec<u8>,
        former: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(move |change| {
            async move { replace(&change.db, &author, &typed, former.as_deref(), now).await }.boxed()
        })
        .await
    }

    async fn last_reply(&self, author: Author, since: Timestamp) -> Result<Option<Vec<u8>>> {
        self.read(move |db| async move { last_reply(db, &author, since).await }.boxed()).await
    }
}

/// Locks a link.
pub(super) const LINK: &str = "
    SELECT r.transfer, t.expires, r.key_packet IS NOT NULL AND r.recalled IS NULL AS is_open
    FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = $1 AND r.number = $2 FOR NO KEY UPDATE OF r";
/// Locks a draft.
pub(super) const DRAFT: &str = "
    SELECT number, typed FROM drafts WHERE transfer = $1 AND recipient = $2 AND browser = $3 FOR UPDATE";
/// A draft with its uploads and their pieces, as they are at one moment. What was typed comes with the first row alone.
pub(super) const WHOLE: &str = r#"
    SELECT CASE WHEN row_number() OVER (ORDER BY u.number, p.number) = 1 THEN d.typed END AS typed, d.revision,
        u.id, u.facts, u.length, u."offset", u.scanned, p.blob, p.size
    FROM transfers t JOIN drafts d ON d.transfer = t.number
        LEFT JOIN uploads u ON u.draft = d.number LEFT JOIN pieces p ON p.upload = u.number
    WHERE t.id = $1 AND d.recipient = $2 AND d.browser = $3 ORDER BY u.number, p.number"#;
pub(super) const SAVE: &str = "
    INSERT INTO drafts (transfer, recipient, browser, typed, used) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (transfer, recipient, browser) DO UPDATE SET
        typed = coalesce(excluded.typed, drafts.typed), used = greatest(drafts.used, excluded.used),
        revision = drafts.revision + 1
    RETURNING number";
/// How many drafts there are behind a link, and in all, as far as that matters.
pub(super) const DRAFTS_HERE: &str =
    "SELECT count(*) AS drafts FROM drafts WHERE transfer = $1 AND recipient = $2";
const DRAFTS: &str = "SELECT count(*) AS drafts FROM (SELECT 1 FROM drafts LIMIT $1) AS found";
/// The draft behind a link that was not touched for longest, of browsers that have proved no address. They are
/// sorted, as many as there may be.
pub(super) const STALEST: &str = "
    DELETE FROM drafts WHERE number = (
        SELECT d.number FROM drafts d WHERE d.transfer = $1 AND d.recipient = $2
            AND NOT EXISTS (SELECT 1 FROM browsers b WHERE b.browser = d.browser AND b.until > $3)
        ORDER BY d.used LIMIT 1 FOR UPDATE OF d SKIP LOCKED)";
pub(super) const TOUCH: &str =
    "UPDATE drafts SET used = greatest(used, $2), revision = revision + 1 WHERE number = $1";
pub(super) const IDLE: &str = "
    DELETE FROM drafts WHERE number IN (
        SELECT number FROM drafts WHERE used < $1 ORDER BY used LIMIT $2 FOR UPDATE SKIP LOCKED)";
pub(super) const END: &str = "DELETE FROM drafts WHERE number = $1 AND revision = $2";
pub(super) const SUMMARY: &str = "
    SELECT r.summary FROM replies r JOIN transfers t ON t.number = r.transfer
    WHERE t.id = $1 AND r.recipient = $2 AND r.browser = $3 AND r.time > $4 ORDER BY r.number DESC LIMIT 1";
pub(super) const REPLIES: &str =
    "SELECT count(*) AS times, min(time) AS first FROM replies WHERE transfer = $1 AND time > $2";
pub(super) const ADD_REPLY: &str =
    "INSERT INTO replies (transfer, recipient, browser, time, summary) VALUES ($1, $2, $3, $4, $5)";
const OLD_CODES: &str = "DELETE FROM codes WHERE since <= $1 AND expires <= $2";
const OLD_CODE_MAILS: &str = "DELETE FROM code_mails WHERE time <= $1";
const OLD_BROWSERS: &str = "DELETE FROM browsers WHERE until <= $1";
const OLD_REPLIES: &str = "DELETE FROM replies WHERE time <= $1";

/// The draft of an author.
async fn find(db: &Connection, author: &Author) -> Result<Option<DraftRow>> {
    let (link, browser) = (&author.link, &author.browser[..]);
    let rows = db.query(WHOLE, &[&link.transfer, &Number(link.recipient), &browser]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut uploads: Vec<UploadRow> = Vec::new();
    for row in rows.iter() {
        let Some(next) = upload(row)? else { continue };
        if uploads.last().is_none_or(|last| last.id != next.id) {
            uploads.push(next);
        }
        if let Some((upload, piece)) = uploads.last_mut().zip(piece(row)?) {
            upload.pieces.push(piece);
        }
    }
    Ok(Some(DraftRow { typed: get(first, "typed")?, revision: number(first, "revision")?, uploads }))
}

fn upload(row: &Row) -> Result<Option<UploadRow>> {
    let Some(id) = get(row, "id")? else { return Ok(None) };
    Ok(Some(UploadRow {
        id,
        facts: get(row, "facts")?,
        length: get::<Option<Number<u64>>>(row, "length")?.map(|length| length.0),
        offset: number(row, "offset")?,
        is_scanned: time_or_none(row, "scanned")?.is_some(),
        pieces: Vec::new(),
    }))
}

fn piece(row: &Row) -> Result<Option<PieceRow>> {
    let Some(blob) = get(row, "blob")? else { return Ok(None) };
    Ok(Some(PieceRow { blob, size: number(row, "size")? }))
}

/// A link that this transaction has locked.
pub(super) struct LockedLink {
    /// The number of its transfer.
    pub transfer: i64,
    is_open: bool,
    expires: Timestamp,
}

impl LockedLink {
    fn is_open(&self, now: Timestamp) -> bool {
        self.is_open && self.expires > now
    }
}

/// Locks the link of an author, so that nothing else changes behind it before the transaction ends; `None` where there is none.
pub(super) async fn lock_link(db: &Connection, author: &Author) -> Result<Option<LockedLink>> {
    let link = &author.link;
    let Some(row) = db.row(LINK, &[&link.transfer, &Number(link.recipient)]).await? else { return Ok(None) };
    let (transfer, is_open) = (get(&row, "transfer")?, get(&row, "is_open")?);
    Ok(Some(LockedLink { transfer, is_open, expires: time(&row, "expires")? }))
}

/// The same; gives the number of the transfer behind the link, which must be open.
pub(super) async fn open_link(db: &Connection, author: &Author, now: Timestamp) -> Result<i64> {
    let open = lock_link(db, author).await?.filter(|link| link.is_open(now));
    open.map(|link| link.transfer).ok_or(StoreError::Gone)
}

/// A row of `drafts` that this transaction has locked.
pub(super) struct Head {
    pub number: i64,
    typed: Option<Vec<u8>>,
}

/// Locks the draft of an author behind a link that is locked.
pub(super) async fn lock_draft(db: &Connection, transfer: i64, author: &Author) -> Result<Option<Head>> {
    let (recipient, browser) = (Number(author.link.recipient), &author.browser[..]);
    let found = db.row(DRAFT, &[&transfer, &recipient, &browser]).await?;
    found.map(|row| Ok(Head { number: get(&row, "number")?, typed: get(&row, "typed")? })).transpose()
}

/// Keeps what was typed, unless another request was quicker.
async fn replace(
    db: &Connection,
    author: &Author,
    typed: &[u8],
    former: Option<&[u8]>,
    now: Timestamp,
) -> Result<()> {
    let link = lock_link(db, author).await?.ok_or(StoreError::Gone)?;
    let there = lock_draft(db, link.transfer, author).await?;
    if there.as_ref().and_then(|head| head.typed.as_deref()) != former {
        return Err(StoreError::Changed);
    }
    if !link.is_open(now) {
        return Err(StoreError::Gone);
    }
    insert(db, link.transfer, author, there.is_none(), Some(typed), now).await.map(drop)
}

/// Makes the draft of an author where there is none; gives its number.
pub(super) async fn begin(db: &Connection, author: &Author, now: Timestamp) -> Result<i64> {
    let transfer = open_link(db, author, now).await?;
    let is_new = lock_draft(db, transfer, author).await?.is_none();
    insert(db, transfer, author, is_new, None, now).await
}

/// Writes the row of a draft; where nothing was typed what is there stays.
async fn insert(
    db: &Connection,
    transfer: i64,
    author: &Author,
    is_new: bool,
    typed: Option<&[u8]>,
    now: Timestamp,
) -> Result<i64> {
    if is_new {
        make_room(db, transfer, author.link.recipient, now).await?;
    }
    let (recipient, browser) = (Number(author.link.recipient), &author.browser[..]);
    get(&db.one(SAVE, &[&transfer, &recipient, &browser, &typed, &Time(now)]).await?, "number")
}

/// Before a new draft.
async fn make_room(db: &Connection, transfer: i64, recipient: u16, now: Timestamp) -> Result<()> {
    let full = || StoreError::TooMany(later(now, WAIT_FOR_ROOM));
    let recipient = Number(recipient);
    db.batch(&Lock::NewDraft.in_transaction()).await?;
    let behind_link = number(&db.one(DRAFTS_HERE, &[&transfer, &recipient]).await?, "drafts")?;
    let in_all = number(&db.one(DRAFTS, &[&Number(DRAFTS_IN_ALL)]).await?, "drafts")?;
    match DraftRoom::of(behind_link, in_all) {
        DraftRoom::Free => Ok(()),
        DraftRoom::Full => Err(full()),
        DraftRoom::InPlaceOfStalest => match db.execute(STALEST, &[&transfer, &recipient, &Time(now)]).await?
        {
            0 => Err(full()),
            _ => Ok(()),
        },
    }
}

/// The draft has become an answer. One that was changed since it was read, or was sent by another click, has not.
pub(super) async fn end(db: &Connection, ended: &EndedDraft) -> Result<()> {
    let author = &ended.author;
    // Answers are counted over all links of the transfer.
    transfers::lock(db, &author.link.transfer).await?.ok_or(StoreError::Gone)?;
    let transfer = open_link(db, author, ended.time).await?;
    let draft = lock_draft(db, transfer, author).await?.ok_or(StoreError::Changed)?;
    if db.execute(END, &[&draft.number, &Number(ended.revision)]).await? == 0 {
        return Err(StoreError::Changed);
    }
    let since = Time(earlier(ended.time, ANSWER_WINDOW));
    let sent = db.one(REPLIES, &[&transfer, &since]).await?;
    if let Some(until) = ended.wait(number(&sent, "times")?, time_or_none(&sent, "first")?) {
        return Err(StoreError::TooMany(until));
    }
    if let Some(until) = limits::take(db, "replies", ANSWERS_IN_ALL, ended.time).await? {
        return Err(StoreError::TooMany(until));
    }
    let (recipient, browser) = (Number(author.link.recipient), &author.browser[..]);
    let now = Time(ended.time);
    db.execute(ADD_REPLY, &[&transfer, &recipient, &browser, &now, &ended.summary]).await?;
    Ok(())
}

/// The summary of the last answer since then.
async fn last_reply(db: &Connection, author: &Author, since: Timestamp) -> Result<Option<Vec<u8>>> {
    let (link, browser) = (&author.link, &author.browser[..]);
    let last = db.row(SUMMARY, &[&link.transfer, &Number(link.recipient), &browser, &Time(since)]).await?;
    last.map(|row| get(&row, "summary")).transpose()
}

/// Ends what has had its time, intents to write a blob with it. A draft that somebody is changing is not idle.
pub(super) async fn sweep(db: &Connection, idle_since: Timestamp, now: Timestamp) -> Result<u64> {
    let before = |span: Duration| Time(earlier(now, span));
    let now = Time(now);
    let mut swept = db.execute(IDLE, &[&Time(idle_since), &limit(DRAFTS_AT_ONCE)]).await?;
    swept += db.execute(OLD_CODES, &[&before(CODE_WINDOW), &now]).await?;
    swept += db.execute(OLD_CODE_MAILS, &[&before(CODE_WINDOW)]).await?;
    swept += db.execute(OLD_BROWSERS, &[&now]).await?;
    swept += db.execute(OLD_REPLIES, &[&before(ANSWER_WINDOW)]).await?;
    swept += blobs::give_up_intents(db, before(INTENT_LASTS).0, ROWS_AT_ONCE).await?.len() as u64;
    Ok(swept)
}
