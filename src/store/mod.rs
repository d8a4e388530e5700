//! What is kept, in the words of the house; how it is kept is nobody else's business.
//!
//! [`Store`] holds rows, [`Blobs`] holds sealed bytes. SQLite and local files are the one implementation
//! today ([`sqlite`], [`blobs`]); SQL and disk paths live nowhere else. Each call is one transaction:
//! when it returns `Ok`, what it promises is durable (C02). [`Committed`] is the proof of that for a
//! message, and only this folder can make one.

pub mod blobs;
#[cfg(test)]
mod conformance;
mod migrate;
pub mod sqlite;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use async_trait::async_trait;

use crate::address::{Address, ReversePath};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters};
use crate::id::{BlobName, Link, QueueId, TransferId};
use crate::limits::{Rate, TryRule};

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
    /// What the audit trail says of it.
    pub events: Vec<Event>,
}

impl Acceptance {
    /// Of nothing yet.
    pub fn new(id: QueueId) -> Self {
        Self { id, items: Vec::new(), transfer: None, events: Vec::new() }
    }

    /// Every blob that it names: worthless when it is not committed.
    pub fn blobs(&self) -> Vec<BlobName> {
        let of_item = |item: &NewItem| match &item.body {
            Body::Blob(name) => Some(name.clone()),
            Body::Inline(_) => None,
        };
        let parts = self.transfer.iter().flat_map(|transfer| &transfer.parts);
        self.items.iter().filter_map(of_item).chain(parts.map(|part| part.blob.clone())).collect()
    }
}

/// What a queue item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message that passes unchanged.
    Message,
    /// To a recipient: there is a transfer for you.
    Notification,
    /// To the sender: it was sealed, and this is the password.
    Receipt,
    /// To the sender: it could not be delivered (RFC 3464).
    Report,
}

impl Kind {
    /// The word in the database, in logs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Notification => "notification",
            Self::Receipt => "receipt",
            Self::Report => "report",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = StoreError;
    fn from_str(word: &str) -> Result<Self> {
        [Self::Message, Self::Notification, Self::Receipt, Self::Report]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(StoreError::Corrupt("queue item kind"))
    }
}

/// A mail to be relayed. Its first attempt is due at once.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its name.
    pub id: QueueId,
    /// What it is.
    pub kind: Kind,
    /// From whom, to whom.
    pub envelope: Envelope,
    /// The mail, encrypted (`queue/body`).
    pub body: Body,
    /// The link that it notifies of, so that a bounce can be told from it.
    pub link: Option<Link>,
    /// When it was accepted: giving up counts from here.
    pub created: Timestamp,
}

/// An encrypted queue body: small ones ride in the row and share its commit, large ones are blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the row.
    Inline(Vec<u8>),
    /// In the blob store.
    Blob(BlobName),
}

/// A queue item that the caller has claimed and must deliver.
#[derive(Debug)]
pub struct Item {
    /// Its name.
    pub id: QueueId,
    /// What it is.
    pub kind: Kind,
    /// Whom a failure is reported to.
    pub reverse_path: ReversePath,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// The recipients that still wait.
    pub recipients: Vec<PendingRecipient>,
    /// The mail, encrypted.
    pub body: Body,
    /// The link that it notifies of.
    pub link: Option<Link>,
    /// When it was accepted.
    pub created: Timestamp,
    /// Attempts made before this one.
    pub attempts: u32,
}

/// A recipient that has neither got the mail nor been given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRecipient {
    /// Its number within the item, from 1.
    pub number: u32,
    /// Its RCPT command.
    pub recipient: EnvelopeRecipient,
}

/// What an attempt meant for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next hop took responsibility.
    Delivered,
    /// Not now; `reason` is the next hop's answer or our own trouble, one line.
    Later {
        /// One line
        reason: String,
    },
    /// Never; already in `reason` what the report will say.
    Failed {
        /// One line
        reason: String,
    },
}

/// The end of one attempt. Recipients that are not named stay as they were.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The item.
    pub item: QueueId,
    /// What happened, by recipient number.
    pub deliveries: Vec<(u32, Delivery)>,
    /// When to try the rest again. Ignored when none is left: then the item goes.
    pub next_attempt: Timestamp,
    /// Failure reports that go into the queue in the same transaction.
    pub reports: Vec<NewItem>,
    /// What the audit trail says of it.
    pub events: Vec<Event>,
}

/// A queue item as an administrator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct QueueEntry {
    /// Its name.
    pub id: QueueId,
    /// What it is: [`Kind::as_str`].
    pub kind: &'static str,
    /// The envelope's sender, `<>` for null.
    pub from: String,
    /// Recipients and their state.
    pub recipients: Vec<QueueEntryRecipient>,
    /// The transfer that it belongs to.
    pub transfer: Option<TransferId>,
    /// When it was accepted.
    pub created: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again.
    pub next_attempt: Timestamp,
}

/// One recipient of a [`QueueEntry`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct QueueEntryRecipient {
    /// The address.
    pub address: Address,
    /// `waiting`, `delivered` or `failed`.
    pub state: &'static str,
    /// The last answer of the next hop, or our own trouble; empty before the first attempt.
    pub answer: String,
}

/// A new transfer; its parts are already durable in the blob store.
#[derive(Debug)]
pub struct NewTransfer {
    /// Its name.
    pub id: TransferId,
    /// When it was sealed.
    pub created: Timestamp,
    /// When its keys will be destroyed.
    pub expires: Timestamp,
    /// The sender: gets the receipt.
    pub sender: Option<Address>,
    /// Whether a password is needed besides the link.
    pub password: bool,
    /// Its sealed parts, part 0 being the index.
    pub parts: Vec<Part>,
    /// Its recipients, numbered from 1.
    pub recipients: Vec<NewRecipient>,
    /// Hashes of the Message-IDs that make up its thread.
    pub thread: Vec<[u8; 32]>,
}

/// A sealed part of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number; 0 is the index (`transfer/index`).
    pub number: u32,
    /// Where its sealed bytes are.
    pub blob: BlobName,
    /// Octets before sealing.
    pub size: u64,
}

/// One recipient of a new transfer.
#[derive(Debug)]
pub struct NewRecipient {
    /// The number within the transfer, from 1.
    pub number: u16,
    /// Whom the notification goes to.
    pub address: Address,
    /// The OpenPGP key packet (SKESK) that this recipient's passphrase opens.
    pub key_packet: Vec<u8>,
}

/// A transfer as the store knows it.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its name.
    pub id: TransferId,
    /// When it was sealed.
    pub created: Timestamp,
    /// When its keys will be, or were, destroyed.
    pub expires: Timestamp,
    /// The sender.
    pub sender: Option<Address>,
    /// Whether a password is needed besides the link.
    pub password: bool,
    /// Its sealed parts in order; empty once they are destroyed.
    pub parts: Vec<Part>,
    /// Its recipients in order.
    pub recipients: Vec<Recipient>,
}

/// One recipient of a transfer, with own key, tries and state.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The number within the transfer, from 1.
    pub number: u16,
    /// Whom the notification went to.
    pub address: Address,
    /// The key packet; `None` once it is destroyed.
    pub key_packet: Option<Vec<u8>>,
    /// Wrong passwords since the last right one.
    pub tries: u32,
    /// Closed for tries until then.
    pub locked_until: Option<Timestamp>,
    /// First opened.
    pub opened: Option<Timestamp>,
    /// Recalled by the sender or an administrator.
    pub recalled: Option<Timestamp>,
}

/// Whether a password may be tried now. A try is counted before it is made, so that no number of
/// parallel tries gets around the limit (C16); a right password sets the count back.
#[derive(Clone, Debug)]
pub enum Try {
    /// Go on. `locked` tells that this was the last try before the lock.
    Allowed {
        /// The lock that a wrong password now means
        locked: Option<Timestamp>,
    },
    /// Not before then.
    Locked(Timestamp),
    /// There is no such link.
    Unknown,
}

/// A browser session: opens one recipient's transfer and nothing else (C17).
pub struct Session {
    /// SHA-256 of the cookie's value; the value itself is never stored.
    pub id: [u8; 32],
    /// What it opens.
    pub link: Link,
    /// The transfer's key, wrapped with a key that needs the cookie.
    pub wrapped_key: Vec<u8>,
    /// When it was last used.
    pub used: Timestamp,
}

/// Figures for `/metrics` and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Items in the queue.
    pub queued: u64,
    /// When the oldest of them was accepted.
    pub oldest_queued: Option<Timestamp>,
    /// Transfers whose keys still exist.
    pub transfers: u64,
    /// Links closed for tries just now.
    pub locked_links: u64,
}

/// Rows. Every method is one durable transaction, or one consistent read.
#[async_trait]
pub trait Store: Send + Sync + 'static {
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
    /// Makes one item, or all, due now; tells how many. A claimed item stays claimed.
    async fn retry(&self, item: Option<QueueId>, now: Timestamp) -> Result<u64>;
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
    /// Destroys the keys and sessions of transfers whose date has passed, and gives up their blobs. A bounded
    /// number at a time: call again until it gives none.
    async fn expire(&self, now: Timestamp) -> Result<Vec<TransferId>>;

    /// Blobs that are given up and wait to be removed, at most `limit`.
    async fn doomed_blobs(&self, limit: usize) -> Result<Vec<BlobName>>;
    /// These blobs are gone from the blob store.
    async fn forget_blobs(&self, names: Vec<BlobName>) -> Result<()>;
    /// Which of these blobs no row knows: left behind by a crash before the commit. Ask it only before
    /// anything is taken in: a blob whose message is still on its way is not known either.
    async fn orphans(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>>;

    /// Takes one from the bucket named `bucket`; `Some` is when there will be one again.
    async fn take(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>>;
    /// Keeps an event that goes with no other change.
    async fn record(&self, event: Event) -> Result<()>;
    /// Figures for the administrator.
    async fn gauges(&self, now: Timestamp) -> Result<Gauges>;
}

/// Sealed bytes under random names, never changed once they are written. Blocking: call it from
/// a thread that may wait.
pub trait Blobs: Send + Sync + 'static {
    /// Starts a new blob. Dropped without [`BlobWriter::commit`], nothing of it stays.
    fn create(&self) -> io::Result<Box<dyn BlobWriter>>;
    /// Reads a blob from its start.
    fn open(&self, name: &BlobName) -> io::Result<Box<dyn Read + Send>>;
    /// Removes a blob; one that is gone already is fine.
    fn remove(&self, name: &BlobName) -> io::Result<()>;
    /// Every blob there is, for the sweep at start.
    fn names(&self) -> io::Result<Vec<BlobName>>;
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
