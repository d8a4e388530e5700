//! What is kept: one file for each role, with its trait and the rows that it speaks of. How it is kept is known to the implementation alone.
//!
//! A user holds the role that it needs and no other: the worker a [`QueueStore`], `transfer/access` an [`AccessStore`].
//! [`Store`] is all roles together, for the wiring only. Rows and sealed bytes ([`Blobs`]) are apart. SQLite and local files are
//! the one implementation today ([`sqlite`], [`files`]); SQL and disk paths occur nowhere else. Each call is one
//! transaction or one consistent read: when it returns `Ok`, what it promises is durable (C02). [`Committed`] is the proof of that for
//! a message, and only this folder can make one.

mod access;
pub(crate) mod audit;
mod author;
mod blobs;
mod body_keys;
mod by_hand;
#[cfg(test)]
pub(crate) mod conformance;
mod downloads;
mod drafts;
mod due;
pub mod files;
mod gauges;
pub mod identity;
mod intake;
mod journal;
mod kind;
mod master_key;
pub mod nodes;
#[cfg(feature = "cluster")]
pub mod objects;
mod organisation_filter;
pub mod person;
#[cfg(feature = "cluster")]
pub mod postgresql;
mod queue;
mod queue_admin;
mod rates;
mod reminders;
mod retention;
pub mod room;
mod sender;
#[cfg(feature = "cluster")]
mod sheets;
pub mod sqlite;
mod status;
#[cfg(feature = "cluster")]
pub mod tables;
mod track;
mod tracking;
mod transfers;
mod turns;
mod uploads;
mod verification;
mod whose;

use std::io;
use std::path::Path;

use crate::clock::Timestamp;
use crate::id::FolderId;
use crate::secret::FolderKey;
use crate::secret::masters::{FIRST, Generation, LAST};

pub use self::access::{AccessStore, Session, Try};
pub use self::audit::{AuditStore, AuditTrail, verify_trail};
pub use self::author::Author;
pub use self::blobs::{
    BlobContent, BlobFacts, BlobIndex, BlobIntents, BlobWriter, Blobs, INTENT_LASTS, NamedBlob, Removal,
    all_names, discard,
};
pub use self::body_keys::{BodyKeys, LostKeys};
pub use self::by_hand::{ByHand, Ruling, Step, StepEnd};
pub use self::downloads::{DownloadStore, Fetch, SHOWN};
pub use self::drafts::{DraftRow, DraftStore, EndedDraft};
pub use self::gauges::{GaugeStore, Gauges, ProblemGauge, QueueGauge};
pub use self::intake::{Acceptance, Committed, IntakeStore, MessageStore};
pub use self::kind::QueueItemKind;
pub use self::master_key::{LinksInUse, MasterKeyStore, Remembered};
pub use self::nodes::NodeStore;
pub use self::organisation_filter::OrganisationFilter;
pub use self::queue::{
    Attempt, AttemptEnd, Body, BodyData, Claim, Item, NewItem, PendingRecipient, Problem, QueueStore,
};
pub use self::queue_admin::{QueueAdmin, QueueEntry, QueueEntryRecipient, RecipientState};
pub use self::rates::RateStore;
pub use self::reminders::{DueReminder, Occasion, ReminderMails, ReminderStore};
pub use self::retention::{ClockGuard, ClockVerdict, Forget, RetentionStore};
pub use self::sender::{EnqueueOutcome, Extension, LimitedNotice, Recall, SenderStore};
#[cfg(feature = "cluster")]
pub use self::sheets::SheetObjects;
pub use self::status::{DeliveryReport, Download, StatusStore};
pub use self::track::{HopReport, Track, TrackRow, TrackState, message_id, taken_answer};
pub use self::tracking::{TrackQuery, TrackingStore, Who, mailbox_of};
pub use self::transfers::{
    Bounce, NewRecipient, NewTransfer, Part, Recipient, Transfer, TransferAdmin, TransferStore,
};
pub use self::turns::{ClaimShares, Sharer};
pub use self::uploads::{
    NewUploadRow, PieceRow, UploadLimits, UploadOutcome, UploadRow, UploadStore, UploadedBytes,
};
pub use self::verification::{BrowserRow, CodeLimits, CodeRow, CodeTry, NewCode, VerificationStore};
pub use self::whose::Whose;

/// Which data folder a database is of, and the proof of the master key that it was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The same lies beside the blobs.
    pub id: FolderId,
    /// [`crate::secret::FolderKey::check_value`] of the current master key
    pub key_check: [u8; 32],
    /// When another key became the current one, for each rotation.
    pub rotations: Vec<Timestamp>,
}

impl Identity {
    /// Of the folder with this id, and of the key that is the current one in its file.
    pub fn new(id: FolderId, key: &FolderKey, mut rotations: Vec<Timestamp>) -> Self {
        // Of what was rotated elsewhere nobody knows when: nothing here is from before.
        rotations.resize(usize::from(key.generation() - FIRST), Timestamp::UNIX_EPOCH);
        Self { key_check: key.check_value(id.as_str()), id, rotations }
    }

    /// Which master key is the current one.
    pub fn generation(&self) -> Generation {
        Generation::try_from(self.rotations.len()).map_or(LAST, |rotations| rotations.saturating_add(FIRST))
    }

    /// Since when the key of this generation is not the current one any more; `None` where it still is.
    pub fn ended(&self, generation: Generation) -> Option<Timestamp> {
        self.rotations.get(usize::from(generation.checked_sub(FIRST)?)).copied()
    }

    /// Whether the current master key is there. If so, everything new is made with it from now on.
    pub fn select(&self, key: &FolderKey) -> bool {
        let found = key.of(self.generation());
        found.is_some_and(|found| found.check_value(self.id.as_str()) == self.key_check)
            && key.select(self.generation())
    }

    /// For an error: the name of the master key that belongs here, and that of the one which lies here instead.
    pub fn other_key(&self, key: &FolderKey) -> String {
        format!("key {}, this is key {}", key_name(&self.key_check), key_names(&self.id, key).join(" and "))
    }
}

/// Names a master key to people, by the value that a data folder keeps of it: it tells nothing of the key.
pub fn key_name(check_value: &[u8; 32]) -> String {
    check_value.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The names of the master keys that are there, the one first that everything new is made with.
pub fn key_names(folder: &FolderId, key: &FolderKey) -> Vec<String> {
    key.each().iter().map(|key| key_name(&key.check_value(folder.as_str()))).collect()
}

/// What lies behind an error of a library, which may say itself no more than that there was one. The lines that follow the first
/// can quote what was to be stored.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let root = causes.last().map(ToString::to_string).unwrap_or_default();
    root.lines().next().unwrap_or_default().to_owned()
}

/// Why the store did not do it. The caller answers "later" (451, 503): nothing was changed, unless it is [`StoreError::Unclear`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused: full, locked, read-only, damaged. The cause is for the log alone.
    #[error("database: {}", root(.0.as_ref()))]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer of the database was lost, and nobody knows whether it was done: what it names must stay.
    #[error("database: the answer was lost: {}", root(.0.as_ref()))]
    Unclear(#[source] Box<dyn std::error::Error + Send + Sync>),
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
    /// Another request has changed or ended it since it was read.
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
    /// A server works on the same folder, or a node on the same database.
    #[error("another zegel is running on this data folder or database")]
    InUse,
    /// All of it was moved elsewhere.
    #[error("everything was moved to {0}, and is used from there")]
    Moved(String),
    /// The key that the other nodes work with is not here: what they made cannot be told from what nobody made.
    #[error("the current master key is not in master.key here")]
    NoMasterKey,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether nothing was changed, so that what was written for it is worthless.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Unclear(_))
    }
}

/// An error with the path it is about.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What a store call gives.
pub type Result<T> = std::result::Result<T, StoreError>;

/// All that answers need.
pub trait ReplyStore: DraftStore + UploadStore + VerificationStore + MessageStore + AuditStore {}
impl<T: DraftStore + UploadStore + VerificationStore + MessageStore + AuditStore> ReplyStore for T {}

/// Every role: what the wiring hands out parts of.
pub trait Store:
    QueueStore
    + QueueAdmin
    + BodyKeys
    + IntakeStore
    + AccessStore
    + TransferAdmin
    + person::PersonStore
    + MasterKeyStore
    + SenderStore
    + DownloadStore
    + ReminderStore
    + RetentionStore
    + ReplyStore
    + GaugeStore
    + NodeStore
    + AuditTrail
    + TrackingStore
{
}
impl<T> Store for T where
    T: QueueStore
        + QueueAdmin
        + BodyKeys
        + IntakeStore
        + AccessStore
        + TransferAdmin
        + person::PersonStore
        + MasterKeyStore
        + SenderStore
        + DownloadStore
        + ReminderStore
        + RetentionStore
        + ReplyStore
        + GaugeStore
        + NodeStore
        + AuditTrail
        + TrackingStore
{
}
