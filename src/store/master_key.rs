//! Which master key is the current one, and what still needs the older ones.

use async_trait::async_trait;

use super::{BodyData, Identity, Result};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::secret::masters::Generation;

/// Knows it.
#[async_trait]
pub trait MasterKeyStore: Send + Sync + 'static {
    /// What the store says of itself; `None` where no gateway has run yet.
    async fn known_identity(&self) -> Result<Option<Identity>>;
    /// Makes another master key the current one, where the one of `from` still is; tells whether it did. Only then the event
    /// is kept.
    async fn rotate_master_key(&self, from: Identity, new: Identity, event: Event) -> Result<bool>;
    /// Transfers that can still be opened, by the master key that their links are made with.
    async fn links_in_use(&self) -> Result<Vec<LinksInUse>>;
    /// Browsers that are remembered at `now` and no longer than `until`.
    async fn remembered(&self, now: Timestamp, until: Timestamp) -> Result<Remembered>;
    /// The bodies of all mail in the queue; of one in its row only so many bytes.
    async fn queued_bodies(&self, octets: u32) -> Result<Vec<BodyData>>;
}

/// What can still be opened with the links of one master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksInUse {
    /// Which one.
    pub generation: Generation,
    /// How many transfers.
    pub transfers: u64,
    /// When the last of them expires, as it is now.
    pub until: Timestamp,
}

/// Browsers of which something is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// How many.
    pub browsers: u64,
    /// Until when the last of them is remembered.
    pub until: Option<Timestamp>,
}
