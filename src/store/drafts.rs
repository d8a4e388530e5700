//! Answers while they are written. What people typed is sealed before it comes here. Used by `reply`.

use async_trait::async_trait;

use super::{AuditStore, MessageStore, Result, UploadRow, UploadStore, VerificationStore};
use crate::clock::Timestamp;
use crate::id::Link;

/// Drafts, and what was sent of them.
#[async_trait]
pub trait DraftStore: Send + Sync + 'static {
    /// The draft, if there is one.
    async fn draft(&self, author: Author) -> Result<Option<DraftRow>>;
    /// Keeps what was typed. [`super::StoreError::Gone`] when the link is closed.
    async fn save_draft(&self, author: Author, typed: Vec<u8>, now: Timestamp) -> Result<()>;
    /// The summary of what this author sent last, since then.
    async fn last_reply(&self, author: Author, since: Timestamp) -> Result<Option<Vec<u8>>>;
}

/// All that answers need.
pub trait ReplyStore: DraftStore + UploadStore + VerificationStore + MessageStore + AuditStore {}
impl<T: DraftStore + UploadStore + VerificationStore + MessageStore + AuditStore> ReplyStore for T {}

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
