//! The queue as an administrator sees it. Used by `cli/queue`, mostly from another process than the worker's.

use async_trait::async_trait;

use super::Result;
use crate::address::Address;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{QueueId, TransferId};

/// Looks at the queue, and changes it by hand.
#[async_trait]
pub trait QueueAdmin: Send + Sync + 'static {
    /// The whole queue, oldest first.
    async fn queue(&self) -> Result<Vec<QueueEntry>>;
    /// Makes one item, or all, due now, frozen or not; tells how many. A claimed item stays claimed. The event is kept if there were
    /// any.
    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64>;
    /// Removes an item undelivered; tells whether it was there. Only then the event is kept.
    async fn drop_item(&self, item: QueueId, event: Event) -> Result<bool>;
}

/// A queue item as an administrator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct QueueEntry {
    /// Its name.
    pub id: QueueId,
    /// What it is: [`super::Kind::as_str`].
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
    /// When it is tried again; means nothing while it is frozen.
    pub next_attempt: Timestamp,
    /// What an administrator has to mend: [`super::Problem::as_str`].
    pub problem: Option<&'static str>,
}

/// One recipient of a [`QueueEntry`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct QueueEntryRecipient {
    /// The address.
    pub address: Address,
    /// `waiting`, `frozen`, `delivered` or `failed`.
    pub state: &'static str,
    /// The last answer of the next hop, or our own trouble; empty before the first attempt.
    pub answer: String,
}
