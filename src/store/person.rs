//! Taking a person out of the rows of transfers that are over. Used by the command line.

use async_trait::async_trait;

use super::{Recipient, Result};
use crate::address::Address;
use crate::id::TransferId;

/// What stands in the place of an address that was erased. The top-level domain is nobody's (RFC 2606).
pub const ERASED_ADDRESS: &str = "erased@erased.invalid";

/// What goes of one transfer.
#[derive(Clone, Debug)]
pub struct Erasure {
    pub transfer: TransferId,
    /// Its sender, and the Message-ID that their mail had.
    pub sender: bool,
    /// Who is left of those whom answers go to, and of its authors.
    pub reply_to: Vec<Address>,
    pub on_behalf_of: Vec<Address>,
    /// The addresses of these recipients, and what mail servers said of them.
    pub recipients: Vec<u16>,
}

impl Erasure {
    /// Whether a link can be opened that is this person's, or of a transfer that they sent.
    pub(super) fn is_too_early(&self, recipients: &[Recipient]) -> bool {
        let is_theirs = |one: &Recipient| self.sender || self.recipients.contains(&one.number);
        recipients.iter().any(|one| one.key_packet.is_some() && is_theirs(one))
    }
}

/// Takes people out.
#[async_trait]
pub trait PersonStore: Send + Sync + 'static {
    /// Does it, and tells whether it did: not while a link can be opened that is theirs, or of a transfer that they sent.
    async fn erase_person(&self, erasure: Erasure) -> Result<bool>;
}
