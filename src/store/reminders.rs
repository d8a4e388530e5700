//! What the timer has to tell people, and that each of it is told once. Used by `reminders`.

use async_trait::async_trait;

use super::{NewItem, Result, TransferStore};
use crate::clock::Timestamp;
use crate::id::{Link, TransferId};

/// Whom to remind of what.
#[async_trait]
pub trait ReminderStore: TransferStore {
    /// Transfers of which recipients may have to be reminded: those whose first reminder is due, and those that
    /// expire by `last_days` and were not reminded since `quiet_since`; each at most once, and of each kind at
    /// most `limit`.
    async fn due_reminders(
        &self,
        now: Timestamp,
        last_days: Timestamp,
        quiet_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueReminder>>;
    /// Queues reminders unless that was done before, on this occasion; tells how many mails were queued.
    async fn enqueue_reminders(&self, reminders: ReminderMails) -> Result<usize>;
    /// Links of which more was fetched than the sender knows, who was last told at or before `quiet_since`.
    async fn due_downloads(&self, quiet_since: Timestamp, limit: usize) -> Result<Vec<Link>>;
}

/// Which reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Half of the time has passed.
    HalfTime,
    /// The last days have begun.
    LastDays,
}

/// A transfer whose recipients may have to be reminded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueReminder {
    /// Which.
    pub transfer: TransferId,
    /// Why.
    pub occasion: Occasion,
}

/// ReminderMails about one transfer, on one occasion. Whoever comes first with them has them sent.
#[derive(Clone, Debug)]
pub struct ReminderMails {
    /// Which transfer.
    pub transfer: TransferId,
    /// Why.
    pub occasion: Occasion,
    /// Its date when they were written: another one is another occasion.
    pub expires: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// One for each recipient, with the link. It goes out only while the link can be opened and has not been.
    pub to_recipients: Vec<NewItem>,
    /// Goes out with the first of them, or alone if there are none to go with.
    pub to_sender: Option<NewItem>,
}
