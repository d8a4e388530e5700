//! Sealed bytes: the blob store, and what rows know of its blobs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::Result;
use crate::clock::Timestamp;
use crate::id::{BlobName, FolderId, QueueId, TransferId, UploadId};

/// Sealed bytes under random names, never changed once they are written. Blocking: call it from
/// a thread that may wait.
pub trait Blobs: Send + Sync + 'static {
    /// Starts a new blob. Dropped without [`BlobWriter::commit`], nothing of it stays.
    fn create(&self) -> io::Result<Box<dyn BlobWriter>>;
    /// The same, with room for so many bytes from the start: where there is none, nothing is begun.
    fn create_for(&self, octets: u64) -> io::Result<Box<dyn BlobWriter>> {
        match self.left()? {
            Some(left) if left < octets => Err(io::ErrorKind::StorageFull.into()),
            _ => self.create(),
        }
    }
    /// Starts a blob that has its name already, from another store, in place of what may be there of an earlier attempt.
    fn create_as(&self, _name: &BlobName) -> io::Result<Box<dyn BlobWriter>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Reads a blob from its start.
    fn open(&self, name: &BlobName) -> io::Result<Box<dyn Read + Send>> {
        self.open_at(name, 0)
    }
    /// Reads a blob from this byte on; at its end, and beyond, there is nothing to read.
    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>>;
    /// Removes a blob; one that is gone already is fine.
    fn remove(&self, name: &BlobName) -> io::Result<()>;
    /// Makes these durable, which [`BlobWriter::close`] has named: one flush for many of them.
    fn settle(&self, _names: &[BlobName]) -> io::Result<()> {
        Ok(())
    }
    /// Bytes that are free; `None` where nothing bounds them, as in an object store.
    fn room(&self) -> io::Result<Option<u64>>;
    /// Bytes of them that may still be written from here, what others were promised aside.
    fn left(&self) -> io::Result<Option<u64>> {
        self.room()
    }
    /// The blobs that there are, in the order of their names: those that come after `after`, at most `limit`.
    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>>;
    /// What is known of a blob from outside; `None` when it is not there.
    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>>;
    /// Removes what was being written when the process before this one ended; tells how much that was. Only a gateway that is
    /// alone may call it, before it takes in anything. Where others write too, nothing is removed.
    fn sweep_unfinished(&self) -> io::Result<usize> {
        Ok(0)
    }
    /// Ends what was begun before then and came to be no blob, where a gateway that died cannot have ended it itself and no
    /// start may; tells how much that was. It is given up as soon as `stop` says so.
    fn end_unfinished(&self, _before: Timestamp, _stop: &CancellationToken) -> io::Result<usize> {
        Ok(0)
    }
    /// Ask for it before blobs are removed that rows have named, and keep it until they are; `None` while a backup is
    /// being made, which may name them still.
    fn removal(&self) -> io::Result<Option<Removal>> {
        Ok(Some(Removal::default()))
    }
}

/// Blobs that are listed at once.
const PAGE: usize = 1000;

/// Every blob there is.
pub fn all_names(blobs: &dyn Blobs) -> io::Result<Vec<BlobName>> {
    let mut names: Vec<BlobName> = Vec::new();
    loop {
        let page = blobs.names(names.last(), PAGE)?;
        if page.is_empty() {
            return Ok(names);
        }
        names.extend(page);
    }
}

/// A blob that is being written.
pub trait BlobWriter: Write + Send {
    /// Makes the blob durable and gives it its name.
    fn commit(self: Box<Self>) -> io::Result<BlobName>;
    /// The same for one of many: its name is durable only after [`Blobs::settle`].
    fn close(self: Box<Self>) -> io::Result<BlobName> {
        self.commit()
    }
}

/// A blob, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobFacts {
    /// Sealed bytes.
    pub size: u64,
    /// When it was written.
    pub written: Timestamp,
}

/// While it is held, no backup begins.
#[derive(Debug, Default)]
pub struct Removal {
    pub(super) _lock: Option<File>,
}

/// Removes blobs of which nothing was promised. One that cannot be removed now is worthless to anybody,
/// and found by the sweep at the next start.
pub fn discard<'a>(blobs: &dyn Blobs, names: impl IntoIterator<Item = &'a BlobName>) {
    for name in names {
        if let Err(error) = blobs.remove(name) {
            tracing::warn!(blob = %name, %error, "a blob that nobody needs could not be removed");
        }
    }
}

/// What is written down of blobs before they are there. Where many gateways share a blob store, nobody can tell by a look
/// whether a blob that no row names is on its way to one, or was left by a gateway that died.
#[async_trait]
pub trait BlobIntents: Send + Sync + 'static {
    /// From now on blobs of these names may be there. Durable when it returns; a name is used within an hour. The commit of
    /// a row that names one takes its intent away. What no row names after [`INTENT_LASTS`] is given up, as other blobs are
    /// that are to be removed ([`BlobIndex::pending_deletion`]); a commit that comes later still fails.
    async fn intend(&self, names: Vec<BlobName>, now: Timestamp) -> Result<()>;
}

/// What was intended so long ago, and is named by no row, is of a gateway that died or changed its mind. No message and no
/// upload takes as long.
pub const INTENT_LASTS: Duration = Duration::from_hours(24);

/// Which blobs rows name, and which of them are given up.
#[async_trait]
pub trait BlobIndex: Send + Sync + 'static {
    /// Blobs that rows name, in the order of their names, those that come after `after`, at most `limit`. What is
    /// given up is not among them.
    async fn named_blobs(&self, after: Option<BlobName>, limit: usize) -> Result<Vec<NamedBlob>>;
    /// Which of these blobs no row names. That does not make them worthless: the message of a blob may still be on its
    /// way to its commit (see [`BlobIndex::others_at_work`]).
    async fn unreferenced_blobs(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>>;
    /// Whether another gateway than `owner` has shown a sign of life since then: it may be writing blobs that no row
    /// names yet. A gateway shows one at every look of its clock ([`super::RetentionStore::check_clock`]).
    async fn others_at_work(&self, owner: &FolderId, since: Timestamp) -> Result<bool>;
    /// Blobs that are given up and wait to be removed, at most `limit`.
    async fn pending_deletion(&self, limit: usize) -> Result<Vec<BlobName>>;
    /// These blobs are gone from the blob store.
    async fn forget_blobs(&self, names: Vec<BlobName>) -> Result<()>;
}

/// A blob that a row names, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBlob {
    pub blob: BlobName,
    /// What it is.
    pub content: BlobContent,
}

/// What a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobContent {
    /// A part of a transfer, with so many bytes before they were sealed.
    Part(TransferId, u32, u64),
    /// The body of a mail in the queue.
    Body(QueueId),
    /// A piece of a file for an answer, with so many bytes before they were sealed.
    Piece(UploadId, u32, u64),
}

impl fmt::Display for BlobContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(transfer, number, _) => write!(f, "part {number} of transfer {transfer}"),
            Self::Body(item) => write!(f, "body of queue item {item}"),
            Self::Piece(upload, number, _) => write!(f, "piece {number} of upload {upload}"),
        }
    }
}
