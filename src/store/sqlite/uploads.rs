//! Uploads of drafts. A piece counts from the commit that brings its row, so `offset` is what survives a crash. Blobs of
//! pieces are given up by a trigger (migrations/0002).

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Octets, Time};
use super::drafts::Head;
use super::writer::Change;
use super::{Sqlite, drafts};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::UploadId;
use crate::store::room::DiskShare;
use crate::store::{
    Author, NewUploadRow, PieceRow, Result, UploadLimits, UploadOutcome, UploadStore, UploadedBytes,
};

#[async_trait]
impl UploadStore for Sqlite {
    async fn add_upload(
        &self,
        author: Author,
        upload: NewUploadRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<UploadOutcome> {
        self.check_room(DiskShare::Pages).await?;
        self.write(move |change| add_upload(change, &author, &upload, limits, now)).await
    }

    async fn set_length(
        &self,
        author: Author,
        upload: UploadId,
        length: u64,
        limits: UploadLimits,
    ) -> Result<UploadOutcome> {
        self.write(move |change| set_length(change, &author, &upload, length, limits)).await
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
        self.check_room(DiskShare::Pages).await?;
        self.write(move |change| add_piece(change, &author, &upload, offset, &piece, limits, now)).await
    }

    async fn upload_room(&self, author: Author, limits: UploadLimits) -> Result<u64> {
        self.readers.read(move |db| upload_room(db, &author, limits)).await
    }

    async fn remove_upload(
        &self,
        author: Author,
        upload: UploadId,
        now: Timestamp,
        event: Option<Event>,
    ) -> Result<bool> {
        self.write(move |change| remove_upload(change, &author, &upload, now, event)).await
    }

    async fn mark_scanned(&self, author: Author, upload: UploadId, now: Timestamp) -> Result<bool> {
        self.write(move |change| mark_scanned(change, &author, &upload, now)).await
    }
}

pub(super) const UPLOAD: &str = "SELECT number, length, offset FROM uploads WHERE draft = ?1 AND id = ?2";

/// What a draft, and what all drafts behind its link, have come to: as announced, or as far as they have come.
pub(super) const TAKEN: &str = "
    SELECT count(*) FILTER (WHERE u.draft = d.number),
        coalesce(sum(max(u.offset, coalesce(u.length, 0))) FILTER (WHERE u.draft = d.number), 0),
        coalesce(sum(max(u.offset, coalesce(u.length, 0))), 0)
    FROM drafts d JOIN drafts o ON o.transfer = d.transfer AND o.recipient = d.recipient
        JOIN uploads u ON u.draft = o.number
    WHERE d.number = ?1";

/// Begins an upload within the limits.
fn add_upload(
    change: &mut Change<'_>,
    author: &Author,
    upload: &NewUploadRow,
    limits: UploadLimits,
    now: Timestamp,
) -> Result<UploadOutcome> {
    let draft = drafts::save(change, author, None, now)?;
    let taken = taken(change.db, draft)?;
    if taken.files >= limits.files {
        return Ok(UploadOutcome::TooMany);
    }
    if !limits.admit(taken, upload.length.unwrap_or(0)) {
        return Ok(UploadOutcome::TooLarge);
    }
    change
        .db
        .prepare_cached("INSERT INTO uploads (id, draft, facts, length) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![upload.id, draft, upload.facts, upload.length.map(Octets)])?;
    Ok(UploadOutcome::Kept(0))
}

fn taken(db: &Connection, draft: i64) -> Result<UploadedBytes> {
    let taken = db.prepare_cached(TAKEN)?.query_row([draft], |row| {
        let (files, Octets(octets), Octets(link_octets)) = (row.get::<_, u32>(0)?, row.get(1)?, row.get(2)?);
        Ok(UploadedBytes { files: files as usize, octets, link_octets })
    })?;
    Ok(taken)
}

/// Bytes that may still come into the draft of an author.
fn upload_room(db: &Connection, author: &Author, limits: UploadLimits) -> Result<u64> {
    let Some(Head { number, .. }) = drafts::draft(db, author)? else { return Ok(0) };
    Ok(limits.room(taken(db, number)?))
}

/// An upload by its number: `length` and `offset`.
struct Found {
    draft: i64,
    number: i64,
    length: Option<u64>,
    offset: u64,
}

fn upload(db: &Connection, author: &Author, id: &UploadId) -> Result<Option<Found>> {
    let Some(Head { number: draft, .. }) = drafts::draft(db, author)? else { return Ok(None) };
    let found = db.prepare_cached(UPLOAD)?.query_row(params![draft, id], |row| {
        let length = row.get::<_, Option<Octets>>("length")?.map(|length| length.0);
        Ok(Found { draft, number: row.get("number")?, length, offset: row.get::<_, Octets>("offset")?.0 })
    });
    Ok(found.optional()?)
}

/// The length becomes known.
fn set_length(
    change: &mut Change<'_>,
    author: &Author,
    id: &UploadId,
    length: u64,
    limits: UploadLimits,
) -> Result<UploadOutcome> {
    let Some(found) = upload(change.db, author, id)? else { return Ok(UploadOutcome::Unknown) };
    match found.length {
        Some(known) if known == length => return Ok(UploadOutcome::Kept(found.offset)),
        Some(_) => return Ok(UploadOutcome::OtherLength),
        None if length < found.offset => return Ok(UploadOutcome::OtherLength),
        None => {}
    }
    if !limits.admit(taken(change.db, found.draft)?, length - found.offset) {
        return Ok(UploadOutcome::TooLarge);
    }
    change
        .db
        .prepare_cached("UPDATE uploads SET length = ?2 WHERE number = ?1")?
        .execute(params![found.number, Octets(length)])?;
    Ok(UploadOutcome::Kept(found.offset))
}

/// Two pieces for one offset: the first to come here is kept, the other is elsewhere.
fn add_piece(
    change: &mut Change<'_>,
    author: &Author,
    id: &UploadId,
    offset: u64,
    piece: &PieceRow,
    limits: UploadLimits,
    now: Timestamp,
) -> Result<UploadOutcome> {
    drafts::open_link(change.db, author, now)?;
    let Some(found) = upload(change.db, author, id)? else { return Ok(UploadOutcome::Unknown) };
    if found.offset != offset {
        return Ok(UploadOutcome::OtherOffset(found.offset));
    }
    let end = offset.saturating_add(piece.size);
    match found.length {
        Some(length) if end > length => return Ok(UploadOutcome::OtherLength),
        None if !limits.admit(taken(change.db, found.draft)?, piece.size) => {
            return Ok(UploadOutcome::TooLarge);
        }
        _ => {}
    }
    change
        .db
        .prepare_cached(
            "INSERT INTO pieces (upload, number, blob, size)
            SELECT ?1, count(*), ?2, ?3 FROM pieces WHERE upload = ?1",
        )?
        .execute(params![found.number, piece.blob, Octets(piece.size)])?;
    change
        .db
        .prepare_cached("UPDATE uploads SET offset = ?2 WHERE number = ?1")?
        .execute(params![found.number, Octets(end)])?;
    change.db.prepare_cached(drafts::TOUCH)?.execute(params![found.draft, Time(now)])?;
    Ok(UploadOutcome::Kept(end))
}

/// Takes an upload out.
fn remove_upload(
    change: &mut Change<'_>,
    author: &Author,
    id: &UploadId,
    now: Timestamp,
    event: Option<Event>,
) -> Result<bool> {
    let Some(found) = upload(change.db, author, id)? else { return Ok(false) };
    change.db.prepare_cached("DELETE FROM uploads WHERE number = ?1")?.execute([found.number])?;
    change.db.prepare_cached(drafts::TOUCH)?.execute(params![found.draft, Time(now)])?;
    event.map_or(Ok(()), |event| change.record(event))?;
    Ok(true)
}

/// Nothing was found in an upload. One that is not complete is left as it is: what is still to come was not looked at.
fn mark_scanned(change: &mut Change<'_>, author: &Author, id: &UploadId, now: Timestamp) -> Result<bool> {
    let Some(found) = upload(change.db, author, id)? else { return Ok(false) };
    let mut mark =
        change.db.prepare_cached("UPDATE uploads SET scanned = ?2 WHERE number = ?1 AND offset = length")?;
    Ok(mark.execute(params![found.number, Time(now)])? > 0)
}
