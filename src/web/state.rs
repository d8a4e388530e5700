//! What the pages stand on. `serve` gives a [`WebState`]; each room of the pages is handed what it needs of it.

use std::sync::Arc;

use super::http::stream::Streams;
use super::http::throttles::Throttles;
use super::recipient::awaited::Awaited;
use super::recipient::handouts::Handouts;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::reply::ReplyService;
use crate::sender::SenderService;
use crate::settings::CurrentSettings;
use crate::store::DownloadStore;
use crate::transfer::access::Access;

/// Everything that the pages stand on.
pub struct WebState {
    /// Opens transfers; nobody else does.
    pub access: Arc<Access>,
    /// Takes answers in.
    pub replies: ReplyService,
    /// What senders do with their transfers.
    pub sender: SenderService,
    /// Notes what is handed out.
    pub downloads: Arc<dyn DownloadStore>,
    /// Taken once for every request.
    pub settings: CurrentSettings,
    /// For dates and Retry-After.
    pub clock: Clock,
    /// Counts requests and downloads.
    pub metrics: Metrics,
}

/// For the pages of a recipient.
#[derive(Clone)]
pub struct RecipientState {
    /// Opens the transfer.
    pub access: Arc<Access>,
    /// Knows where it is answered.
    pub replies: ReplyService,
    /// Asks its sender for it again, and tells of what is lost.
    pub sender: SenderService,
    /// Notes what goes out of it.
    pub handouts: Handouts,
    /// Openings whose cookie has not come back yet.
    pub awaited: Awaited,
    /// Everything that is being downloaded.
    pub streams: Streams,
    /// For Retry-After.
    pub clock: Clock,
}

/// For the pages on which a recipient answers.
#[derive(Clone)]
pub struct ReplyState {
    /// Opens the transfer that is answered.
    pub access: Arc<Access>,
    /// Takes the answer in.
    pub replies: ReplyService,
    /// How often the strength of a password is asked.
    pub throttles: Arc<Throttles>,
    /// For Retry-After, and for the days of the expiry.
    pub clock: Clock,
}

/// For the pages of a sender.
#[derive(Clone)]
pub struct SenderState {
    /// What can be done with a transfer, and what became of it.
    pub sender: SenderService,
    /// For Retry-After.
    pub clock: Clock,
}

impl WebState {
    pub(super) fn recipient(&self) -> RecipientState {
        let (sender, clock) = (self.sender.clone(), self.clock.clone());
        RecipientState {
            access: self.access.clone(),
            replies: self.replies.clone(),
            sender: sender.clone(),
            awaited: Awaited::default(),
            streams: Streams::new(self.access.clone(), sender.clone()),
            handouts: Handouts {
                store: self.downloads.clone(),
                sender,
                clock: clock.clone(),
                metrics: self.metrics.clone(),
            },
            clock,
        }
    }

    pub(super) fn reply(&self, throttles: Arc<Throttles>) -> ReplyState {
        let (access, replies) = (self.access.clone(), self.replies.clone());
        ReplyState { access, replies, throttles, clock: self.clock.clone() }
    }

    pub(super) fn sender(&self) -> SenderState {
        SenderState { sender: self.sender.clone(), clock: self.clock.clone() }
    }
}
