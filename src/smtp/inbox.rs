//! The port behind the SMTP server: it asks an [`Inbox`] whether a sender is welcome, and hands each whole message to it.
//! The gateway's is `intake`, the demo's its mailbox.
//!
//! What must never happen: an [`Inbox::keep`] that succeeds before the message is durable, for its success is the 250.

use std::fmt;
use std::future::Future;

use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::id::OrganisationId;
use crate::message::crlf::CrlfBytes;

/// Takes in what the SMTP server receives.
pub trait Inbox: Send + Sync + 'static {
    /// The proof that a message is kept; its text is in the 250.
    type Kept: fmt::Display + Send;

    /// What a message is judged by. It is taken at MAIL and kept to the end of the message, whatever an administrator
    /// changes meanwhile.
    type Snapshot: fmt::Debug + Send + Sync;

    /// Begins a message, unless mail from this sender is not taken at all.
    fn begin(&self, sender: &ReversePath) -> Result<Self::Snapshot, Refusal>;

    /// The mailbox behind `RCPT TO:<Postmaster>` (RFC 5321 4.5.1).
    fn postmaster(&self, snapshot: &Self::Snapshot) -> Address;

    /// Whose message it is, for figures: an organisation of the configuration.
    fn organisation(&self, _snapshot: &Self::Snapshot) -> Option<OrganisationId> {
        None
    }

    /// Whose part of the memory it takes; `None` where one organisation has all of it.
    fn sharer(&self, _snapshot: &Self::Snapshot) -> Option<OrganisationId> {
        None
    }

    /// Whether a message can be for this recipient beside those that it is for already. One that it cannot be for comes in a
    /// message of its own (RFC 5321 4.5.3.1.10).
    fn fits(&self, _snapshot: &Self::Snapshot, _envelope: &Envelope, _recipient: &Address) -> bool {
        true
    }

    /// Decides what becomes of the message and makes it durable.
    fn keep(
        &self,
        snapshot: Self::Snapshot,
        peer: Peer,
        envelope: Envelope,
        message: CrlfBytes,
    ) -> impl Future<Output = Result<Self::Kept, Refusal>> + Send;
}

/// Why a message, or its sender, is not taken. [`response`](super::response) alone knows the code and the text of each.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The sender's domain is not one of the organisation's.
    #[error("sender is not within the organisation")]
    ForeignSender,
    /// A policy rule says so; the text is the rule's.
    #[error("refused by policy: {0}")]
    Policy(String),
    /// It was here before, or has passed too many hops (H07).
    #[error("the message loops")]
    Loop,
    /// A recipient is an address for delivery reports, but nothing was ever sent from it.
    #[error("no notification went out from this address")]
    NoSuchReturn,
    /// Its structure is so damaged or so large that nothing can be done with it.
    #[error("the message cannot be handled: {0}")]
    Unusable(&'static str),
    /// It cannot be kept at the moment. The cause is for the log only.
    #[error("temporary trouble: {0}")]
    Trouble(String),
}
