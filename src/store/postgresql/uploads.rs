//! Uploads of drafts. A piece counts from the commit that brings its row, so `offset` is what survives a crash, and what any
//! node goes on from. Blobs of pieces are given up by a trigger (migrations/postgresql).

use async_trait::async_trait;
use futures_util::FutureExt;

use super::change::Change;
use super::columns::{Number, Time, get, number};
use super::drafts::{self, Head};
use super::lent::Connection;
use super::{Postgres, blobs};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::UploadId;
use crate::store::{
    Author, NewUploadRow, PieceRow, Result, UploadLimits, UploadOutcome, UploadStore, UploadedBytes,
};

#[async_trait]
impl UploadStore for Postgres {
    async fn add_upload(
        &self,
        author: Author,
        upload: NewUploadRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<UploadOutcome> {
        self.write(move |change| {
            async move { add_upload(&change.db, &author, &upload, limits, now).await }.boxed()
        })
        .await
    }

    async fn set_length(
        &self,
        author: Author,
        upload: UploadId,
        length: u64,
        limits: UploadLimits,
    ) -> Result<UploadOutcome> {
        self.write(move |change| {
            async move { set_length(&change.db, &author, &upload, length, limits).await }.boxed()
        })
        .await
    }

    async fn add_piece(
        &self,
        author: Author,
        upload: UploadId,
        offset: u64,
        piece: PieceRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<UploadOutcome> {
        self.write(move |change| {
            async move { add_piece(&change.db, &author, &upload, offset, &piece, limits, now).await }.boxed()
        })
        .await
    }

    async fn upload_room(&self, author: Author, limits: UploadLimits) -> Result<u64> {
        self.read(move |db| async move { upload_room(db, &author, limits).await }.boxed()).await
    }

    async fn remove_upload(
        &self,
        author: Author,
        upload: UploadId,
        now: Timestamp,
        event: Option<Event>,
    ) -> Result<bool> {
        self.write(move |change| {
            async move { remove_upload(change, &author, &upload, now, event).await }.boxed()
        })
        .await
    }

    async fn mark_scanned(&self, author: Author, upload: UploadId, now: Timestamp) -> Result<bool> {
        self.write(move |change| async move { mark_scanned(&change.db, &author, &upload, now).await }.boxed())
            .await
    }
}

/// Locks an upload.
pub(super) const UPLOAD: &str =
    r#"SELECT number, length, "offset" FROM uploads WHERE draft = $1 AND id = $2 FOR UPDATE"#;

/// What a draft, and what all drafts behind its link, have come to: as announced, or as far as they have come.
pub(super) const TAKEN: &str = r#"
    SELECT count(*) FILTER (WHERE u.draft = d.number) AS files,
        coalesce(sum(greatest(u."offset", coalesce(u.length, 0))) FILTER (WHERE u.draft = d.number), 0)::bigint AS here,
        coalesce(sum(greatest(u."offset", coalesce(u.length, 0))), 0)::bigint AS behind_link
    FROM drafts d JOIN drafts o ON o.transfer = d.transfer AND o.recipient = d.recipient
        JOIN uploads u ON u.draft = o.number
    WHERE d.number = $1"#;
/// The number of an author's draft, without a lock.
pub(super) const DRAFT: &str = "
    SELECT d.number FROM drafts d JOIN transfers t ON t.number = d.transfer
    WHERE t.id = $1 AND d.recipient = $2 AND d.browser = $3";
pub(super) const INSERT: &str = "INSERT INTO uploads (id, draft, facts, length) VALUES ($1, $2, $3, $4)";
pub(super) const SET_LENGTH: &str = "UPDATE uploads SET length = $2 WHERE number = $1";
pub(super) const ADD_PIECE: &str = "
    INSERT INTO pieces (upload, number, blob, size)
    SELECT $1::bigint, count(*), $2::text, $3::bigint FROM pieces WHERE upload = $1";
pub(super) const GROW: &str = r#"UPDATE uploads SET "offset" = $2 WHERE number = $1"#;
pub(super) const REMOVE: &str = "DELETE FROM uploads WHERE number = $1";
pub(super) const SCANNED: &str = r#"UPDATE uploads SET scanned = $2 WHERE number = $1 AND "offset" = length"#;

/// Begins an upload within the limits.
async fn add_upload(
    db: &Connection,
    author: &Author,
    upload: &NewUploadRow,
    limits: UploadLimits,
    now: Timestamp,
) -> Result<UploadOutcome> {
    let draft = drafts::begin(db, author, now).await?;
    let taken = taken(db, draft).await?;
    if taken.files >= limits.files {
        return Ok(UploadOutcome::TooMany);
    }
    if !limits.admit(taken, upload.length.unwrap_or(0)) {
        return Ok(UploadOutcome::TooLarge);
    }
    db.execute(INSERT, &[&upload.id, &draft, &upload.facts, &upload.length.map(Number)]).await?;
    Ok(UploadOutcome::Kept(0))
}

async fn taken(db: &Connection, draft: i64) -> Result<UploadedBytes> {
    let row = db.one(TAKEN, &[&draft]).await?;
    Ok(UploadedBytes {
        files: number(&row, "files")?,
        octets: number(&row, "here")?,
        link_octets: number(&row, "behind_link")?,
    })
}

/// Bytes that may still come into the draft of an author.
async fn upload_room(db: &Connection, author: &Author, limits: UploadLimits) -> Result<u64> {
    let (link, browser) = (&author.link, &author.browser[..]);
    let draft = db.row(DRAFT, &[&link.transfer, &Number(link.recipient), &browser]).await?;
    let Some(draft) = draft else { return Ok(0) };
    Ok(limits.room(taken(db, get(&draft, "number")?).await?))
}

/// An upload that this transaction has locked, with its link and its draft.
struct Found {
    draft: i64,
    number: i64,
    length: Option<u64>,
    offset: u64,
}

/// Locks the upload of an author behind a link that is locked.
async fn lock_upload(
    db: &Connection,
    transfer: i64,
    author: &Author,
    id: &UploadId,
) -> Result<Option<Found>> {
    let Some(Head { number: draft, .. }) = drafts::lock_draft(db, transfer, author).await? else {
        return Ok(None);
    };
    let Some(row) = db.row(UPLOAD, &[&draft, id]).await? else { return Ok(None) };
    let length = get::<Option<Number<u64>>>(&row, "length")?.map(|length| length.0);
    Ok(Some(Found { draft, number: get(&row, "number")?, length, offset: number(&row, "offset")? }))
}

/// The same, link and all; whether the link is open does not matter.
async fn upload(db: &Connection, author: &Author, id: &UploadId) -> Result<Option<Found>> {
    match drafts::lock_link(db, author).await? {
        Some(link) => lock_upload(db, link.transfer, author, id).await,
        None => Ok(None),
    }
}

/// The length becomes known.
async fn set_length(
    db: &Connection,
    author: &Author,
    id: &UploadId,
    length: u64,
    limits: UploadLimits,
) -> Result<UploadOutcome> {
    let Some(found) = upload(db, author, id).await? else { return Ok(UploadOutcome::Unknown) };
    match found.length {
        Some(known) if known == length => return Ok(UploadOutcome::Kept(found.offset)),
        Some(_) => return Ok(UploadOutcome::OtherLength),
        None if length < found.offset => return Ok(UploadOutcome::OtherLength),
        None => {}
    }
    if !limits.admit(taken(db, found.draft).await?, length - found.offset) {
        return Ok(UploadOutcome::TooLarge);
    }
    db.execute(SET_LENGTH, &[&found.number, &Number(length)]).await?;
    Ok(UploadOutcome::Kept(found.offset))
}

/// Two pieces for one offset: the first to come here is kept, the other is elsewhere.
async fn add_piece(
    db: &Connection,
    author: &Author,
    id: &UploadId,
    offset: u64,
    piece: &PieceRow,
    limits: UploadLimits,
    now: Timestamp,
) -> Result<UploadOutcome> {
    let transfer = drafts::open_link(db, author, now).await?;
    let Some(found) = lock_upload(db, transfer, author, id).await? else {
        return Ok(UploadOutcome::Unknown);
    };
    if found.offset != offset {
        return Ok(UploadOutcome::OtherOffset(found.offset));
    }
    let end = offset.saturating_add(piece.size);
    match found.length {
        Some(length) if end > length => return Ok(UploadOutcome::OtherLength),
        None if !limits.admit(taken(db, found.draft).await?, piece.size) => {
            return Ok(UploadOutcome::TooLarge);
        }
        _ => {}
    }
    blobs::named(db, std::slice::from_ref(&piece.blob)).await?;
    db.execute(ADD_PIECE, &[&found.number, &piece.blob, &Number(piece.size)]).await?;
    db.execute(GROW, &[&found.number, &Number(end)]).await?;
    db.execute(drafts::TOUCH, &[&found.draft, &Time(now)]).await?;
    Ok(UploadOutcome::Kept(end))
}

/// Takes an upload out.
async fn remove_upload(
    change: &mut Change,
    author: &Author,
    id: &UploadId,
    now: Timestamp,
    event: Option<Event>,
) -> Result<bool> {
    let Some(found) = upload(&change.db, author, id).await? else { return Ok(false) };
    change.db.execute(REMOVE, &[&found.number]).await?;
    change.db.execute(drafts::TOUCH, &[&found.draft, &Time(now)]).await?;
    change.record_all(event.into_iter().collect()).await?;
    Ok(true)
}

/// Nothing was found in an upload. One that is not complete is left as it is: what is still to come was not looked at.
async fn mark_scanned(db: &Connection, author: &Author, id: &UploadId, now: Timestamp) -> Result<bool> {
    let Some(found) = upload(db, author, id).await? else { return Ok(false) };
    Ok(db.execute(SCANNED, &[&found.number, &Time(now)]).await? > 0)
}
