//! What is kept of answers while they are written: drafts and uploads, verification codes, browsers that are
//! remembered. Everything that people typed is sealed before it comes here. Used by `reply`.

use async_trait::async_trait;

use super::Result;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{BlobName, Link, UploadId};
use crate::limits::Rate;

/// Who writes: behind which link, in which browser. Nobody else sees the draft (C17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The link
    pub link: Link,
    /// SHA-256 of the browser's secret
    pub browser: [u8; 32],
}

/// A draft as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRow {
    /// What was typed, sealed; `None`: only files so far.
    pub typed: Option<Vec<u8>>,
    /// Counts every change.
    pub revision: u64,
    /// In the order in which they were begun.
    pub uploads: Vec<UploadRow>,
}

/// An upload that begins.
#[derive(Clone, Debug)]
pub struct NewUploadRow {
    /// Its name.
    pub id: UploadId,
    /// Sealed: its name and media type.
    pub facts: Vec<u8>,
    /// Octets, if they are known.
    pub length: Option<u64>,
}

/// An upload as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// Its name.
    pub id: UploadId,
    /// Sealed: its name and media type.
    pub facts: Vec<u8>,
    /// Octets of the whole, if they are known.
    pub length: Option<u64>,
    /// Octets that are there.
    pub offset: u64,
    /// A virus scanner found nothing in the whole of it.
    pub is_scanned: bool,
    /// They follow one another.
    pub pieces: Vec<PieceRow>,
}

/// A piece of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceRow {
    /// Its sealed octets.
    pub blob: BlobName,
    /// Octets before sealing.
    pub size: u64,
}

/// How much may be uploaded.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    /// Files of one draft
    pub files: usize,
    /// Octets of one draft
    pub octets: u64,
    /// Octets of all drafts behind one link (H16)
    pub link_octets: u64,
}

/// What became of an upload that was to begin or to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is kept; this much is there now.
    Kept(u64),
    /// There are as many files as there may be.
    TooMany,
    /// It would be over the limit.
    TooLarge,
    /// The upload is at another offset.
    Elsewhere(u64),
    /// Its length is another, or less than what has come.
    OtherLength,
    /// There is no such upload in this draft.
    Unknown,
}

/// A code that is to be mailed.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// Who asked
    pub author: Author,
    /// Sealed: whom it verifies
    pub facts: Vec<u8>,
    /// Keyed hash of code, author and address
    pub hash: [u8; 32],
    /// Keyed hash of what spellings of the address have in common, for counting
    pub address: [u8; 32],
    /// The client's key, for counting
    pub client: String,
    /// Now
    pub now: Timestamp,
    /// The code's end
    pub expires: Timestamp,
    /// The mail that brings it
    pub mail: super::NewItem,
    /// What the audit trail says
    pub event: Event,
}

impl NewCode {
    /// The buckets of [`CodeLimits::per_link`], [`CodeLimits::per_link_and_day`] and [`CodeLimits::in_all`].
    pub fn buckets(&self) -> [String; 3] {
        let link = &self.author.link;
        [format!("code {link}"), format!("code day {link}"), "code".to_owned()]
    }
}

/// How many codes there may be (C23, H18, H42).
#[derive(Clone, Copy, Debug)]
pub struct CodeLimits {
    /// Tries, over all codes of an hour
    pub tries: u32,
    /// Mails to one address within an hour
    pub per_address: u32,
    /// Mails asked for by one client within an hour
    pub per_client: u32,
    /// Mails asked for through one link
    pub per_link: Rate,
    /// The same over a longer time
    pub per_link_and_day: Rate,
    /// Mails asked for by everybody
    pub in_all: Rate,
}

/// A code that was mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// Sealed: whom it verifies
    pub facts: Vec<u8>,
    /// It is worth nothing from then on
    pub expires: Timestamp,
}

/// What became of a try. It is counted before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTry {
    /// The browser is remembered, the code is spent.
    Right,
    /// This many tries are left; with none left the code is spent.
    Wrong(u32),
    /// It has run out.
    Expired,
    /// There is none.
    None,
}

/// A browser that is to be remembered, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserRow {
    /// Sealed: whose it is
    pub facts: Vec<u8>,
    /// Until when
    pub until: Timestamp,
}

/// The end of a draft, in the transaction of the answer that it becomes.
#[derive(Debug)]
pub struct EndedDraft {
    /// Whose
    pub author: Author,
    /// As it was read: one that changed since is not ended ([`super::StoreError::Changed`]).
    pub revision: u64,
    /// Now
    pub time: Timestamp,
    /// Sealed: what the page tells of it, kept for a day
    pub summary: Vec<u8>,
    /// Hashes of the Message-IDs of what staff get: an answer to it is sealed as well.
    pub thread: Vec<[u8; 32]>,
    /// The most answers to one transfer within 24 hours; over it: [`super::StoreError::TooMany`].
    pub per_day: u32,
}

/// Drafts and what belongs to them. As with [`super::Store`], every call is one transaction.
#[async_trait]
pub trait DraftStore: Send + Sync + 'static {
    /// The draft, if there is one.
    async fn draft(&self, author: Author) -> Result<Option<DraftRow>>;
    /// Keeps what was typed. [`super::StoreError::Gone`] when the link is closed.
    async fn save_draft(&self, author: Author, typed: Vec<u8>, now: Timestamp) -> Result<()>;
    /// Begins an upload, and a draft where there is none. [`super::StoreError::Gone`] when the link is closed.
    async fn add_upload(
        &self,
        author: Author,
        upload: NewUploadRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<Added>;
    /// Tells the length of an upload that was begun without one; the same length again is fine.
    async fn set_length(
        &self,
        author: Author,
        upload: UploadId,
        length: u64,
        limits: UploadLimits,
    ) -> Result<Added>;
    /// Adds a piece whose blob is durable. Unless it is kept the blob stays the caller's.
    async fn add_piece(
        &self,
        author: Author,
        upload: UploadId,
        offset: u64,
        piece: PieceRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<Added>;
    /// Octets that may still come into this draft: what was announced, here and behind the same link, counts as come.
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
    /// Ends drafts that nobody has touched since then, and forgets codes, browsers and summaries that have had their
    /// time. A bounded number at a time: call again until it gives zero.
    async fn sweep_drafts(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64>;

    /// Keeps a code and queues its mail; `Some` is when there may be one again.
    async fn add_code(&self, code: NewCode, limits: CodeLimits) -> Result<Option<Timestamp>>;
    /// The code that this author was mailed last.
    async fn code(&self, author: Author) -> Result<Option<CodeRow>>;
    /// Tries a code; when it is right, remembers the browser and keeps `event`.
    async fn try_code(
        &self,
        author: Author,
        hash: [u8; 32],
        tries: u32,
        now: Timestamp,
        browser: BrowserRow,
        event: Event,
    ) -> Result<CodeTry>;
    /// Whose browser this is.
    async fn browser(&self, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>>;
    /// Forgets it.
    async fn forget_browser(&self, browser: [u8; 32]) -> Result<()>;
    /// The summary of what this author sent last, since then.
    async fn last_reply(&self, author: Author, since: Timestamp) -> Result<Option<Vec<u8>>>;
}
