//! What is known of a transfer besides its keys: deliveries, downloads, the audit trail. Read by `transfer/status`.

use async_trait::async_trait;
use serde::Serialize;

use super::{Result, TransferStore};
use crate::audit::{Action, Entry, Event, EventResult, Initiator};
use crate::cause::FailureCause;
use crate::clock::Timestamp;
use crate::diagnostic::Diagnostic;
use crate::envelope::Reported;
use crate::id::{Link, TransferId};

/// What the sender of a transfer may know of it.
#[async_trait]
pub trait StatusStore: TransferStore {
    /// What was reported of a transfer's notifications, by recipient.
    async fn delivery_reports(&self, transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>>;
    /// What was fetched of a transfer, by recipient and part.
    async fn downloads(&self, transfer: TransferId) -> Result<Vec<Download>>;
    /// What the audit trail says of a transfer and its links, oldest first.
    async fn audit_log(&self, transfer: TransferId) -> Result<Vec<Entry>>;
}

/// What delivery reports say of the notifications of a link: the last of each kind. Strangers' words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryReport {
    /// It names the link's own address, not another one to which a copy was forwarded.
    pub own: bool,
    /// What has become of the mail.
    pub action: Reported,
    /// When it came.
    pub time: Timestamp,
    /// Why, as far as the codes tell.
    pub cause: FailureCause,
    /// What the last server said; one line.
    pub reason: String,
}

impl DeliveryReport {
    /// Our own next hop has refused a notification, or it was given up.
    pub(super) fn of_attempt(why: &Diagnostic, time: Timestamp) -> Self {
        Self { own: true, action: Reported::Failed, time, cause: why.into(), reason: why.to_string() }
    }

    /// Our own notification was given up: nobody has heard of the link.
    pub(super) fn can_close(&self) -> bool {
        self.own && self.action == Reported::Failed
    }

    /// What the audit trail says of it where it closes the link.
    pub(super) fn closing_event(&self, link: &Link) -> Event {
        Initiator::zegel().event(self.time, Action::Bounce, link.to_string(), EventResult::Closed)
    }

    /// What the audit trail says of the first of its kind.
    pub(super) fn event(&self, link: &Link) -> Event {
        let result = if self.own { EventResult::Reported(self.action) } else { EventResult::ForwardedCopy };
        Initiator::zegel().event(self.time, Action::Report, link.to_string(), result)
    }
}

/// A part of a transfer that a recipient has fetched, once or more often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The recipient, by number.
    pub recipient: u16,
    pub part: u32,
    /// When for the first time.
    pub first: Timestamp,
    /// When for the last time.
    pub last: Timestamp,
    /// How often.
    pub count: u32,
    /// All of it was asked for at once, at least once.
    pub whole: bool,
}
