//! The right to read one transfer, for as long as one request lasts. Only `transfer/access` makes a
//! [`Grant`], after the password or from a live session; without one there is no key.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::AccessError;
use super::index::{Index, is_sealed_as};
use crate::id::Link;
use crate::seal::SealError;
use crate::seal::keys::TransferKey;
use crate::seal::read::{Opened, read};
use crate::seal::write::sealed_sizes;
use crate::secret;
use crate::store::{Blobs, Recipient, Transfer};

/// An index over this is none of ours: 1,000,000 files would still be within it.
const MAX_INDEX: u64 = 256 * 1024 * 1024;

/// Opens the parts of one transfer for one recipient.
#[derive(Clone)]
pub struct Grant {
    link: Link,
    transfer: Arc<Transfer>,
    recipient: Arc<Recipient>,
    key: TransferKey,
    session: [u8; 32],
    blobs: Arc<dyn Blobs>,
}

impl Grant {
    pub(super) fn new(
        link: Link,
        transfer: Transfer,
        recipient: Recipient,
        key: TransferKey,
        session: [u8; 32],
        blobs: Arc<dyn Blobs>,
    ) -> Self {
        Self { link, transfer: Arc::new(transfer), recipient: Arc::new(recipient), key, session, blobs }
    }

    /// The recipient's link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The transfer as it was when the request came in.
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// The recipient that the link was made for.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// The key of an answer that is written behind this link in one browser (`secret` is the browser's own). It
    /// needs the transfer's key, so it goes with that.
    pub fn draft_key(&self, secret: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        secret::derive(self.key.reveal(), secret, "zegel reply draft")
    }

    /// [`crate::store::Session::id`]: what was handed out is noted under it.
    pub fn session(&self) -> [u8; 32] {
        self.session
    }

    /// The plaintext of a part, as a stream. Blocking. Damage in its first 64 KiB is an error here,
    /// further on one of the reader (see [`Grant::unreadable`]); what was released before it is genuine (C14).
    pub fn open(&self, number: u32) -> Result<Opened<'static>, AccessError> {
        let parts = &self.transfer.parts;
        let part = parts.iter().find(|part| part.number == number).ok_or(AccessError::Unknown)?;
        self.check(number)?;
        let source = self.blobs.open(&part.blob).map_err(|error| self.damaged(number, &error))?;
        let opened = read(&self.key, source).map_err(|error| match error {
            SealError::Io(error) => self.unreadable(number, &error),
            error => self.lost(number, &error),
        })?;
        if !is_sealed_as(number, opened.name()) {
            return Err(self.lost(number, &"it was sealed as another part"));
        }
        Ok(opened)
    }

    /// Whether a part is there and can be all of it; [`AccessError::Lost`] where it is gone for good. Blocking.
    pub fn check(&self, number: u32) -> Result<(), AccessError> {
        let parts = &self.transfer.parts;
        let part = parts.iter().find(|part| part.number == number).ok_or(AccessError::Unknown)?;
        match self.blobs.look(&part.blob) {
            Ok(Some(facts)) if sealed_sizes(part.size).contains(&facts.size) => Ok(()),
            Ok(_) => Err(self.lost(number, &"it is missing, or too short")),
            Err(error) => Err(self.damaged(number, &error)),
        }
    }

    /// What is in the transfer. Blocking; [`Grant::read_index`] is the same for async callers.
    pub fn index(&self) -> Result<Index, AccessError> {
        let mut json = Vec::new();
        let read = self.open(0)?.take(MAX_INDEX).read_to_end(&mut json);
        read.map_err(|error| self.unreadable(0, &error))?;
        serde_json::from_slice(&json).map_err(|error| self.lost(0, &error))
    }

    /// What is in the transfer.
    pub async fn read_index(&self) -> Result<Index, AccessError> {
        let grant = self.clone();
        let read = tokio::task::spawn_blocking(move || grant.index()).await;
        read.unwrap_or_else(|error| Err(self.damaged(0, &error)))
    }

    /// What an error of reading a part means: what the disk or the system says may pass, all else is damage for good.
    pub fn unreadable(&self, part: u32, error: &io::Error) -> AccessError {
        match error.raw_os_error() {
            Some(_) => self.damaged(part, error),
            None => self.lost(part, error),
        }
    }

    fn lost(&self, part: u32, cause: &dyn fmt::Display) -> AccessError {
        tracing::debug!(transfer = %self.link.transfer, part, %cause, "a sealed part is lost");
        AccessError::Lost(self.link.clone(), part)
    }

    /// The one place where the cause is known; outwards it is only "damaged".
    fn damaged(&self, part: u32, cause: &dyn fmt::Display) -> AccessError {
        tracing::error!(transfer = %self.link.transfer, part, %cause, "a sealed part cannot be opened");
        AccessError::Damaged
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({})", self.link)
    }
}
