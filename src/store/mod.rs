//! What is kept, in the words of the house; how it is kept is nobody else's business.
//!
//! [`Store`] holds rows, [`Blobs`] holds sealed bytes. SQLite and local files are the one implementation
//! today ([`sqlite`], [`files`]); SQL and disk paths live nowhere else. Each call is one transaction:
//! when it returns `Ok`, what it promises is durable (C02). [`Committed`] is the proof of that for a
//! message, and only this folder can make one.

#[cfg(test)]
mod conformance;
mod drafts;
pub mod files;
pub mod identity;
mod queue;
mod retention;
pub mod room;
pub mod sqlite;
mod status;
mod transfers;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use async_trait::async_trait;

pub use self::drafts::{
    Added, Author, BrowserRow, CodeLimits, CodeRow, CodeTry, DraftRow, DraftStore, EndedDraft, NewCode,
    NewUploadRow, PieceRow, UploadLimits, UploadRow,
};
pub use self::queue::{
    Attempt, Body, BodyData, Delivery, Item, Kind, NewItem, PendingRecipient, Problem, QueueEntry,
    QueueEntryRecipient,
};
pub use self::retention::{DueReminder, Forget, Occasion, Reminders, Turn, Turns};
use self::room::Disk;
pub use self::status::{
    Bounce, DeliveryReport, Download, Extension, Fetch, LimitedNotice, Recall, SHOWN, Sent,
};
pub use self::transfers::{NewRecipient, NewTransfer, Part, Recipient, Session, Transfer, Try};
use crate::audit::{Entry, Event};
use crate::clock::Timestamp;
use crate::id::{BlobName, Link, QueueId, TransferId, UploadId};
use crate::limits::{Rate, TryRule};
use crate::secret::keyring::Destroyed;

/// Why the store did not do it. The caller answers "later" (451, 503): nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused: full, locked, read-only, damaged.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A file could not be written or read.
    #[error("file: {0}")]
    File(#[from] io::Error),
    /// So little room is left that nothing new is taken in.
    #[error("the disk is nearly full")]
    NearlyFull,
    /// A row holds what we never write.
    #[error("the store holds an invalid {0}")]
    Corrupt(&'static str),
    /// The link was closed, by expiry or recall, while its password was being checked.
    #[error("the link is closed")]
    Gone,
    /// Somebody else has changed or ended it since it was read.
    #[error("it was changed meanwhile")]
    Changed,
    /// There were as many as there may be; not before then.
    #[error("no more before {0}")]
    TooMany(Timestamp),
    /// The database is from a later version; this one must not touch it.
    #[error("the database was made by a newer zegel (schema {found}, this one knows {known}): upgrade zegel")]
    Newer {
        /// Its schema
        found: u32,
        /// The newest schema known here
        known: u32,
    },
    /// The file belongs to another program.
    #[error("this is not a database of zegel")]
    Foreign,
    /// Another server works on the same folder.
    #[error("another zegel is running on this data folder")]
    InUse,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// An error with the path it is about.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What a store call gives.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The proof that a message is on disk, with all that was promised for it. The 250 needs it.
#[derive(Debug)]
pub struct Committed {
    id: QueueId,
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// Everything that one message becomes, written in one transaction.
#[derive(Debug)]
pub struct Acceptance {
    /// The id that the 250 names.
    pub id: QueueId,
    /// What is to be relayed: the message itself, notifications, receipts.
    pub items: Vec<NewItem>,
    /// The transfer it was sealed into.
    pub transfer: Option<NewTransfer>,
    /// The draft that this is the answer of; it ends with it.
    pub draft: Option<EndedDraft>,
    /// What the audit trail says of it.
    pub events: Vec<Event>,
}

impl Acceptance {
    /// Of nothing yet.
    pub fn new(id: QueueId) -> Self {
        Self { id, items: Vec::new(), transfer: None, draft: None, events: Vec::new() }
    }

    /// Every blob that it names: worthless when it is not committed.
    pub fn blobs(&self) -> Vec<BlobName> {
        let of_item = |item: &NewItem| match &item.body.data {
            BodyData::Blob(name) => Some(name.clone()),
            BodyData::Inline(_) => None,
        };
        let parts = self.transfer.iter().flat_map(|transfer| &transfer.parts);
        self.items.iter().filter_map(of_item).chain(parts.map(|part| part.blob.clone())).collect()
    }
}

/// Figures for `/metrics` and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Items in the queue.
    pub queued: u64,
    /// When the oldest of those that are not frozen was accepted.
    pub oldest_queued: Option<Timestamp>,
    /// Transfers whose keys still exist.
    pub transfers: u64,
    /// Links closed for tries just now.
    pub locked_links: u64,
    /// Items that an administrator has to do something for, by problem; those that there are.
    pub problems: Vec<ProblemGauge>,
}

/// Items with the same problem.
#[derive(Clone, Debug)]
pub struct ProblemGauge {
    /// What it is.
    pub problem: Problem,
    /// How many there are.
    pub items: u64,
    /// Why the newest of them waits.
    pub reason: String,
}

/// Rows. Every method is one durable transaction, or one consistent read.
#[async_trait]
pub trait Store: DraftStore {
    /// Keeps a message with all that it became. Concurrent calls share one commit.
    async fn commit(&self, acceptance: Acceptance) -> Result<Committed>;
    /// Whether one of these Message-ID hashes belongs to a sealed thread.
    async fn is_sealed_thread(&self, hashes: Vec<[u8; 32]>) -> Result<bool>;

    /// Items whose time has come, oldest first, at most `limit`, claimed until `lease`. An item whose claim
    /// has run out is due again.
    async fn claim_due(&self, now: Timestamp, lease: Timestamp, limit: usize) -> Result<Vec<Item>>;
    /// Forgets all claims: called once at start, when nobody can hold one.
    async fn release_claims(&self) -> Result<()>;
    /// The first moment at which an item can be claimed: when it is due, or when its claim runs out.
    async fn next_due(&self) -> Result<Option<Timestamp>>;
    /// Records an attempt and ends the claim; an item without waiting recipients is removed, its blob given
    /// up. An item that is no longer there is no error: reports and events are kept all the same.
    async fn finish_attempt(&self, attempt: Attempt) -> Result<()>;
    /// The whole queue, oldest first.
    async fn queue(&self) -> Result<Vec<QueueEntry>>;
    /// Makes one item, or all, due now, frozen or not; tells how many. A claimed item stays claimed. The event is kept if there were
    /// any.
    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64>;
    /// Makes due now whatever is tried again by itself: the clock was set back.
    async fn hurry(&self, now: Timestamp) -> Result<()>;
    /// Removes an item undelivered; tells whether it was there. Only then the event is kept.
    async fn drop_item(&self, item: QueueId, event: Event) -> Result<bool>;

    /// A transfer with its parts and recipients.
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>>;
    /// Every transfer, newest first, without parts.
    async fn transfers(&self) -> Result<Vec<Transfer>>;
    /// Counts a try on a link before it is made, and locks it when it was one too many.
    async fn begin_try(&self, link: Link, rule: TryRule, now: Timestamp) -> Result<Try>;
    /// A right password: tries are forgotten, the first opening noted, the session kept.
    /// [`StoreError::Gone`] when the link was closed meanwhile.
    async fn open(&self, session: Session, event: Event) -> Result<()>;
    /// The live session with this id, not idle since `idle_since`; its use is noted, to the minute.
    async fn session(&self, id: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Result<Option<Session>>;
    /// Ends a session; the event is kept if there was one.
    async fn end_session(&self, id: [u8; 32], event: Event) -> Result<()>;
    /// Removes sessions that are idle since before then.
    async fn sweep_sessions(&self, idle_since: Timestamp) -> Result<u64>;
    /// Destroys the keys and sessions of transfers whose date lies at or before `closed`, and gives up their
    /// blobs. A bounded number at a time: call again until it gives none.
    async fn expire(&self, closed: Timestamp, now: Timestamp) -> Result<Vec<TransferId>>;

    /// Whether the timer may act at `now`; remembers that it asked.
    async fn begin_turn(&self, now: Timestamp) -> Result<Turn>;
    /// Transfers of which recipients may have to be reminded: those whose first reminder is due, and those that
    /// expire by `last_days` and were not reminded since `quiet_since`; each at most once, and of each kind at
    /// most `limit`.
    async fn due_reminders(
        &self,
        now: Timestamp,
        last_days: Timestamp,
        quiet_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueReminder>>;
    /// Queues reminders unless that was done before, on this occasion; tells how many mails were queued.
    async fn remind(&self, reminders: Reminders) -> Result<usize>;
    /// Links of which more was fetched than the sender knows, who was last told at or before `quiet_since`.
    async fn due_downloads(&self, quiet_since: Timestamp, limit: usize) -> Result<Vec<Link>>;
    /// Queues the mail that tells of it, unless that was done before.
    async fn follow_up(&self, link: Link, notice: NewItem, quiet_since: Timestamp) -> Result<bool>;
    /// Forgets what has had its time, a bounded number of rows at a time: call again until it tells 0.
    async fn forget(&self, before: Forget) -> Result<usize>;

    /// Takes back links that can still be opened: their keys go, with the sessions and the mail that still waits
    /// for these recipients; with the last key the parts are given up. Gives the numbers of those taken back by
    /// this call: of two calls at once, the second takes back nothing.
    async fn recall(&self, recall: Recall) -> Result<Vec<u16>>;
    /// Gives a transfer that still has a key another date; tells whether it has.
    async fn extend(&self, extension: Extension) -> Result<bool>;
    /// Forgets the tries on a link that still has its key, and its lock; tells whether there were any.
    async fn clear_tries(&self, link: Link, event: Event) -> Result<bool>;
    /// Notes what a delivery report says of a notification. One that names the link's own address as failed closes
    /// the link, unless somebody has opened it; tells whether it did.
    async fn report(&self, link: Link, report: DeliveryReport) -> Result<bool>;
    /// What was reported of a transfer's notifications, by recipient.
    async fn reports(&self, transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>>;
    /// Queues a mail about a link if it may go out now. One that invites opens a link again that was closed
    /// because none arrived.
    async fn send(&self, notice: LimitedNotice, now: Timestamp) -> Result<Sent>;
    /// Notes what is about to be handed out. Where there is a notice for the sender, and one of the parts is new, it is
    /// queued with that, unless the sender heard of this link since the moment beside it: then the rest is left for
    /// [`Store::due_downloads`]. [`StoreError::Gone`] when the session has ended meanwhile: nothing may be handed out.
    async fn downloaded(&self, fetch: Fetch) -> Result<()>;
    /// Whether this was noted in this session within the last minute, whole if it is to be handed out whole: then it
    /// need not be noted again.
    async fn is_noted(&self, session: [u8; 32], what: String, whole: bool, now: Timestamp) -> Result<bool>;
    /// Notes that a part of a transfer was found to be missing or damaged; tells whether that was news. The notice is
    /// queued with the first part of a transfer only.
    async fn part_lost(
        &self,
        transfer: TransferId,
        part: u32,
        event: Event,
        notice: Option<NewItem>,
    ) -> Result<bool>;
    /// What was fetched of a transfer, by recipient and part.
    async fn downloads(&self, transfer: TransferId) -> Result<Vec<Download>>;
    /// What the audit trail says of a transfer and its links, oldest first.
    async fn trail(&self, transfer: TransferId) -> Result<Vec<Entry>>;

    /// Blobs that are given up and wait to be removed, at most `limit`.
    async fn doomed_blobs(&self, limit: usize) -> Result<Vec<BlobName>>;
    /// These blobs are gone from the blob store.
    async fn forget_blobs(&self, names: Vec<BlobName>) -> Result<()>;
    /// Which of these blobs no row knows: left behind by a crash before the commit. Ask it only before
    /// anything is taken in: a blob whose message is still on its way is not known either.
    async fn orphans(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>>;
    /// Blobs that rows name, in the order of their names, those that come after `after`, at most `limit`. What is
    /// given up is not among them.
    async fn named_blobs(&self, after: Option<BlobName>, limit: usize) -> Result<Vec<NamedBlob>>;

    /// Takes one from the bucket named `bucket`; `Some` is when there will be one again.
    async fn take(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>>;
    /// Keeps an event that goes with no other change.
    async fn record(&self, event: Event) -> Result<()>;
    /// Destroys the keys of bodies that are gone (C29).
    async fn destroy_keys(&self) -> Result<Destroyed>;
    /// Waits until so many keys of bodies are used that some should be destroyed, to be used anew.
    async fn few_keys(&self);

    /// The disk as new mail finds it.
    async fn disk(&self) -> Result<Disk>;
    /// Gives the room of the database's log back, if nothing was written since it was last asked to.
    async fn shrink_log(&self) -> Result<()>;

    /// Figures for the administrator.
    async fn gauges(&self, now: Timestamp) -> Result<Gauges>;
}

/// Sealed bytes under random names, never changed once they are written. Blocking: call it from
/// a thread that may wait.
pub trait Blobs: Send + Sync + 'static {
    /// Starts a new blob. Dropped without [`BlobWriter::commit`], nothing of it stays.
    fn create(&self) -> io::Result<Box<dyn BlobWriter>>;
    /// The same, with room for so many octets from the start: where there is none, nothing is begun.
    fn create_for(&self, octets: u64) -> io::Result<Box<dyn BlobWriter>> {
        if self.left()? < octets { Err(io::ErrorKind::StorageFull.into()) } else { self.create() }
    }
    /// Reads a blob from its start.
    fn open(&self, name: &BlobName) -> io::Result<Box<dyn Read + Send>>;
    /// Removes a blob; one that is gone already is fine.
    fn remove(&self, name: &BlobName) -> io::Result<()>;
    /// Octets that are free on the disk.
    fn room(&self) -> io::Result<u64>;
    /// Octets of them that may still be written from here, what others were promised aside.
    fn left(&self) -> io::Result<u64> {
        self.room()
    }
    /// Every blob there is, for the sweep at start.
    fn names(&self) -> io::Result<Vec<BlobName>>;
    /// What is known of a blob from outside; `None` when it is not there.
    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>>;
    /// Ask for it before blobs are removed that rows have named, and keep it until they are; `None` while a backup is
    /// being made, which may name them still.
    fn removal(&self) -> io::Result<Option<Removal>> {
        Ok(Some(Removal::default()))
    }
}

/// While it is held, no backup begins.
#[derive(Debug, Default)]
pub struct Removal {
    _lock: Option<File>,
}

/// A blob that a row names, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBlob {
    /// Its name.
    pub blob: BlobName,
    /// What it is.
    pub content: Content,
}

/// What a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A part of a transfer, with so many octets before they were sealed.
    Part(TransferId, u32, u64),
    /// The body of a mail in the queue.
    Body(QueueId),
    /// A piece of a file for an answer, with so many octets before they were sealed.
    Piece(UploadId, u32, u64),
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(transfer, number, _) => write!(f, "part {number} of transfer {transfer}"),
            Self::Body(item) => write!(f, "body of queue item {item}"),
            Self::Piece(upload, number, _) => write!(f, "piece {number} of upload {upload}"),
        }
    }
}

/// A blob, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobFacts {
    /// Sealed octets.
    pub size: u64,
    /// When it was written.
    pub written: Timestamp,
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

/// A blob that is being written.
pub trait BlobWriter: Write + Send {
    /// Flushes file and folder to disk and gives the blob its name.
    fn commit(self: Box<Self>) -> io::Result<BlobName>;
}
