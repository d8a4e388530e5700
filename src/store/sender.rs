//! What can be done with a transfer after it was sent. Used by `sender`.

use async_trait::async_trait;

use super::{NewItem, Result, StatusStore};
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};
use crate::limits::Rate;

/// What senders, and the administrator in their place, do with transfers.
#[async_trait]
pub trait SenderStore: StatusStore {
    /// Takes back links that can still be opened: their keys go, with the sessions and the mail that still waits
    /// for these recipients; with the last key the parts are given up. Gives the numbers of those taken back by
    /// this call: of two calls at once, the second takes back nothing.
    async fn recall(&self, recall: Recall) -> Result<Vec<u16>>;
    /// Gives a transfer that still has a key another date; tells whether it has.
    async fn extend(&self, extension: Extension) -> Result<bool>;
    /// Forgets the tries on a link that still has its key, and its lock; tells whether there were any.
    async fn clear_tries(&self, link: Link, event: Event) -> Result<bool>;
    /// Queues a mail about a link if it may go out now. One that invites opens a link again that was closed
    /// because none arrived.
    async fn enqueue_limited(&self, notice: LimitedNotice, now: Timestamp) -> Result<EnqueueOutcome>;
    /// Queues the mail that tells of it, unless that was done before.
    async fn enqueue_follow_up(&self, link: Link, notice: NewItem, quiet_since: Timestamp) -> Result<bool>;
    /// Notes that a part of a transfer was found to be missing or damaged; tells whether that was news. The notice is
    /// queued with the first part of a transfer only.
    async fn note_lost_part(
        &self,
        transfer: TransferId,
        part: u32,
        event: Event,
        notice: Option<NewItem>,
    ) -> Result<bool>;
}

/// Takes back links of a transfer.
#[derive(Clone, Debug)]
pub struct Recall {
    pub transfer: TransferId,
    /// Their recipients, by number.
    pub recipients: Vec<u16>,
    /// When.
    pub now: Timestamp,
    /// A transfer whose date lies at or before this is gone for good.
    pub closed: Timestamp,
    /// The sender or the administrator.
    pub by: Initiator,
    /// Mails that tell recipients of it, each with its link. One goes out only if its link is taken back now,
    /// and if the recipient has heard of it at all.
    pub notices: Vec<NewItem>,
}

impl Recall {
    /// What the audit trail says of a link that is taken back now.
    pub(super) fn event(&self, link: &Link, opened: bool) -> Event {
        let result = if opened { EventResult::OpenedBefore } else { EventResult::NeverOpened };
        self.by.event(self.now, Action::Recall, link.to_string(), result)
    }

    /// The mail that tells the recipient of this link, who has heard of it, and what the audit trail says of that.
    pub(super) fn notice(&self, link: &Link) -> Option<(&NewItem, Event)> {
        let notice = self.notices.iter().find(|item| item.link.as_ref() == Some(link))?;
        let result = EventResult::RecallNotice;
        Some((notice, self.by.event(self.now, Action::Notify, link.to_string(), result)))
    }
}

/// Gives a transfer another date.
#[derive(Clone, Debug)]
pub struct Extension {
    pub transfer: TransferId,
    /// Its new date.
    pub expires: Timestamp,
    /// A transfer whose date lies at or before this is gone for good.
    pub closed: Timestamp,
    /// What the audit trail says of it.
    pub event: Event,
    /// When it is given.
    pub now: Timestamp,
    /// Mails that tell recipients of it. One goes out only with the new date, while its link can be opened by that, and as
    /// often as it may; where it may not, the date is given all the same.
    pub notices: Vec<LimitedNotice>,
}

/// A mail about a link that may go out only so often.
#[derive(Clone, Debug)]
pub struct LimitedNotice {
    /// The link that it is about.
    pub link: Link,
    /// The mail.
    pub item: NewItem,
    /// It is to the recipient: only while the link can be opened, or could if it had arrived.
    pub invites: bool,
    /// What its sendings are counted under.
    pub bucket: String,
    /// How often.
    pub rate: Rate,
    /// The bucket of all mails of this kind, whatever link they are about, and how many there may be.
    pub in_all: (String, Rate),
    /// What the audit trail says of it.
    pub event: Event,
}

/// What became of a [`LimitedNotice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// It is in the queue.
    Queued,
    /// One went out already; not before then.
    NotBefore(Timestamp),
    /// Its link is closed.
    Closed,
}
