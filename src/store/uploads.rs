//! Files of an answer that is being written. Their names and types are sealed before they come here. Used by `reply`.

use async_trait::async_trait;

use super::{Author, Result};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{BlobName, UploadId};

/// Uploads of drafts.
#[async_trait]
pub trait UploadStore: Send + Sync + 'static {
    /// Begins an upload, and a draft where there is none. [`super::StoreError::Gone`] when the link is closed.
    async fn add_upload(
        &self,
        author: Author,
        upload: NewUploadRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<UploadOutcome>;
    /// Tells the length of an upload that was begun without one; the same length again is fine.
    async fn set_length(
        &self,
        author: Author,
        upload: UploadId,
        length: u64,
        limits: UploadLimits,
    ) -> Result<UploadOutcome>;
    /// Adds a piece whose blob is durable. If it is not kept, the caller removes the blob.
    async fn add_piece(
        &self,
        author: Author,
        upload: UploadId,
        offset: u64,
        piece: PieceRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<UploadOutcome>;
    /// Bytes that may still come into this draft: what was announced, here and behind the same link, counts as come.
    async fn upload_room(&self, author: Author, limits: UploadLimits) -> Result<u64>;
    /// Takes an upload out, and gives its blobs up; tells whether it was there. `event` is kept where it was.
    async fn remove_upload(
        &self,
        author: Author,
        upload: UploadId,
        now: Timestamp,
        event: Option<Event>,
    ) -> Result<bool>;
    /// A virus scanner found nothing in this upload, which is complete; tells whether it is still there. The draft counts
    /// as unchanged.
    async fn mark_scanned(&self, author: Author, upload: UploadId, now: Timestamp) -> Result<bool>;
}

/// An upload that begins.
#[derive(Clone, Debug)]
pub struct NewUploadRow {
    /// Its name.
    pub id: UploadId,
    /// Sealed: its name and media type.
    pub facts: Vec<u8>,
    /// Bytes, if they are known.
    pub length: Option<u64>,
}

/// An upload as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// Its name.
    pub id: UploadId,
    /// Sealed: its name and media type.
    pub facts: Vec<u8>,
    /// Bytes of the whole, if they are known.
    pub length: Option<u64>,
    /// Bytes that are there.
    pub offset: u64,
    /// A virus scanner found nothing in the whole of it.
    pub is_scanned: bool,
    /// They follow one another.
    pub pieces: Vec<PieceRow>,
}

/// A piece of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceRow {
    /// Its sealed bytes.
    pub blob: BlobName,
    /// Bytes before sealing.
    pub size: u64,
}

/// How much may be uploaded.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    /// Files of one draft
    pub files: usize,
    /// Bytes of one draft
    pub octets: u64,
    /// Bytes of all drafts behind one link (H16)
    pub link_octets: u64,
}

impl UploadLimits {
    /// Whether so many bytes more may come.
    pub fn admit(&self, taken: UploadedBytes, more: u64) -> bool {
        more <= self.room(taken)
    }

    /// Bytes that may still come.
    pub fn room(&self, taken: UploadedBytes) -> u64 {
        let link = self.link_octets.saturating_sub(taken.link_octets);
        self.octets.saturating_sub(taken.octets).min(link)
    }
}

/// What uploads have come to, as announced, or as far as they have come.
#[derive(Clone, Copy, Debug)]
pub struct UploadedBytes {
    /// Files of one draft
    pub files: usize,
    /// Bytes of it
    pub octets: u64,
    /// Bytes of all drafts behind its link
    pub link_octets: u64,
}

/// What became of an upload that was to begin or to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadOutcome {
    /// It is kept; this much is there now.
    Kept(u64),
    /// There are as many files as there may be.
    TooMany,
    /// It would be over the limit.
    TooLarge,
    /// The upload is at another offset.
    OtherOffset(u64),
    /// Its length is another, or less than what has come.
    OtherLength,
    /// There is no such upload in this draft.
    Unknown,
}
