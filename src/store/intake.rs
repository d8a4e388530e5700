//! A message that is taken in: what it becomes, and the proof that all of that is on disk. Made by `intake` and
//! `reply/send`.

use std::fmt;

use async_trait::async_trait;

use super::{
    AuditStore, BodyData, DeliveryReport, EndedDraft, NewItem, NewTransfer, QueueItemKind, Result, TrackRow,
    TrackingStore, TransferStore,
};
use crate::audit::Event;
use crate::id::{BlobName, Link, QueueId};

/// Keeps messages.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Keeps a message with all that it became. Concurrent calls share one commit.
    async fn commit(&self, acceptance: Acceptance) -> Result<Committed>;
}

/// What the end of data asks and tells.
#[async_trait]
pub trait IntakeStore: MessageStore + TransferStore + AuditStore + TrackingStore {
    /// Whether one of these Message-ID hashes belongs to a sealed thread.
    async fn is_sealed_thread(&self, hashes: Vec<[u8; 32]>) -> Result<bool>;
    /// Notes what a delivery report says of a notification. One that names the link's own address as failed closes
    /// the link, unless it has been opened; returns whether it did.
    async fn note_delivery_report(&self, link: Link, report: DeliveryReport) -> Result<bool>;
}

/// The proof that a message is on disk, with all that was promised for it. The 250 needs it.
#[derive(Debug)]
pub struct Committed {
    pub(super) id: QueueId,
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
    /// The recipients that it was sealed for, as an administrator finds them. Those of its items follow from these.
    pub tracks: Vec<TrackRow>,
}

impl Acceptance {
    /// Of nothing yet.
    pub fn new(id: QueueId) -> Self {
        Self { id, items: Vec::new(), transfer: None, draft: None, events: Vec::new(), tracks: Vec::new() }
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

    /// How much of it rides in rows.
    #[cfg(feature = "cluster")]
    pub(super) fn octets(&self) -> usize {
        let of_item = |item: &NewItem| match &item.body.data {
            BodyData::Inline(body) => body.len(),
            BodyData::Blob(_) => 0,
        };
        self.items.iter().map(of_item).sum()
    }

    /// What comes of the message is found by its id.
    pub(super) fn link_items(&mut self) {
        for item in self.items.iter_mut().filter(|item| item.id != self.id) {
            item.track.tracking.get_or_insert_with(|| self.id.clone());
        }
    }

    /// One for each recipient of whatever it became; call [`Acceptance::link_items`] before.
    #[cfg(feature = "cluster")]
    pub(super) fn all_tracks(&self) -> Vec<TrackRow> {
        let queued = self.items.iter().flat_map(|item| TrackRow::queued(item, &item.track));
        self.tracks.iter().cloned().chain(queued).collect()
    }

    /// Takes the message out, if it is all that there is to keep: ordinary mail, most of it gone again in a moment. What the
    /// audit trail says of it is in the service log, not in a table.
    pub(super) fn take_plain(&mut self) -> Option<NewItem> {
        let is_plain = |item: &NewItem| item.kind == QueueItemKind::Message && item.link.is_none();
        match self.items.as_slice() {
            [item] if self.transfer.is_none() && self.draft.is_none() && is_plain(item) => {
                self.link_items();
                self.items.pop()
            }
            _ => None,
        }
    }
}
