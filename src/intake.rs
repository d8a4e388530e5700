//! The crossroads: what becomes of a message at the end of data. Called by `smtp/listener` through
//! [`Inbox`]; nothing is acknowledged before the store has given a `Committed`.

use std::fmt;
use std::future::Future;

use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::message::crlf::CrlfBytes;

/// Whoever takes in what the SMTP server receives: the gateway, or the mailbox of the demo.
pub trait Inbox: Send + Sync + 'static {
    /// The proof that a message is kept; its text stands in the 250.
    type Kept: fmt::Display + Send;

    /// Whether mail from this sender is taken at all.
    fn sender(&self, path: &ReversePath) -> Result<(), Refusal>;

    /// The mailbox behind `RCPT TO:<Postmaster>` (RFC 5321 4.5.1).
    fn postmaster(&self) -> Address;

    /// Decides what becomes of the message and makes it durable.
    fn keep(
        &self,
        peer: Peer,
        envelope: Envelope,
        message: CrlfBytes,
    ) -> impl Future<Output = Result<Self::Kept, Refusal>> + Send;
}

/// Why a message, or its sender, is not taken. `smtp/response` alone knows code and text of each.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The sender's domain is not one of the organisation's.
    #[error("sender is not within the organisation")]
    ForeignSender,
    /// A policy rule says so; the text is the rule's.
    #[error("refused by policy: {0}")]
    Policy(String),
    /// Too many `Received` fields, or one of our own notices (H07).
    #[error("the message loops")]
    Loop,
    /// So damaged or oversized in structure that no rule can be applied, and sealing it is not possible.
    #[error("the message cannot be handled: {0}")]
    Unusable(&'static str),
    /// Trouble of our own: store, keys, disk, policy. The cause is for the log only.
    #[error("temporary trouble: {0}")]
    Trouble(String),
}
