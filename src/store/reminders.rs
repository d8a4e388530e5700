//! What the timer has to tell people, and that each of it is told once. Used by `reminders`.

use async_trait::async_trait;

use super::{NewItem, Recipient, Result, TransferStore, Whose};
use crate::audit::{Action, Event, EventResult, Initiator};
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
        whose: Whose,
        now: Timestamp,
        last_days: Timestamp,
        quiet_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueReminder>>;
    /// Queues reminders unless that was done before, on this occasion; tells how many mails were queued.
    async fn enqueue_reminders(&self, reminders: ReminderMails) -> Result<usize>;
    /// Links of which more was fetched than the sender has been told, where the last mail about it was at or before
    /// `quiet_since`.
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
    pub transfer: TransferId,
    /// Why.
    pub occasion: Occasion,
}

impl DueReminder {
    /// Each transfer once: those whose last days have begun, then the others whose first reminder is due.
    pub(super) fn once_each(last_days: Vec<TransferId>, first: Vec<TransferId>) -> Vec<Self> {
        let half_time: Vec<_> = first.into_iter().filter(|id| !last_days.contains(id)).collect();
        let of = |occasion| move |transfer| Self { transfer, occasion };
        let last_days = last_days.into_iter().map(of(Occasion::LastDays));
        last_days.chain(half_time.into_iter().map(of(Occasion::HalfTime))).collect()
    }
}

/// What the audit trail says of a mail that tells the sender of downloads.
pub(super) fn download_notice_event(link: &Link, now: Timestamp) -> Event {
    Initiator::zegel().event(now, Action::Notify, link.to_string(), EventResult::DownloadNotice)
}

/// Reminders about one transfer, on one occasion. Of two calls for the same occasion only the first queues its mails.
#[derive(Clone, Debug)]
pub struct ReminderMails {
    pub transfer: TransferId,
    /// Why.
    pub occasion: Occasion,
    /// Its date when they were written: another one is another occasion.
    pub expires: Timestamp,
    pub now: Timestamp,
    /// One for each recipient, with the link. It goes out only while the link can be opened and has not been.
    pub to_recipients: Vec<NewItem>,
    /// Goes out with the first of them, or alone if there are none to go with.
    pub to_sender: Option<NewItem>,
}

impl ReminderMails {
    /// The mails that still say something to `recipients`, as they are now: nobody is reminded whose link is closed or
    /// who has opened it meanwhile, and where nobody is left to remind, there is nothing to warn the sender of.
    pub fn due(&self, recipients: &[Recipient]) -> (Vec<(&Link, &NewItem)>, Option<&NewItem>) {
        let waits =
            |link: &Link| recipients.iter().any(|one| one.number == link.recipient && one.has_yet_to_open());
        let linked = self.to_recipients.iter().filter_map(|item| Some((item.link.as_ref()?, item)));
        let to_recipients: Vec<_> = linked.filter(|(link, _)| waits(link)).collect();
        let is_of_use = !to_recipients.is_empty() || self.to_recipients.is_empty();
        (to_recipients, self.to_sender.as_ref().filter(|_| is_of_use))
    }

    /// What the audit trail says of a recipient's mail.
    pub(super) fn event(&self, link: &Link) -> Event {
        Initiator::zegel().event(self.now, Action::Remind, link.to_string(), EventResult::Ok)
    }

    /// What the audit trail says of the sender's.
    pub(super) fn sender_event(&self) -> Event {
        let object = self.transfer.to_string();
        Initiator::zegel().event(self.now, Action::Notify, object, EventResult::UnopenedNotice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::FailureCause;
    use crate::store::Bounce;
    use crate::store::conformance::{item, noon};
    use crate::transfer::testing::transfer_row;

    fn mails(link: &Link, to_recipients: bool) -> ReminderMails {
        let to_recipient = NewItem { link: Some(link.clone()), ..item() };
        ReminderMails {
            transfer: link.transfer.clone(),
            occasion: Occasion::LastDays,
            expires: noon(),
            now: noon(),
            to_recipients: to_recipients.then_some(to_recipient).into_iter().collect(),
            to_sender: Some(item()),
        }
    }

    #[test]
    fn only_those_who_have_yet_to_open_are_reminded() {
        let transfer = transfer_row();
        let waits = transfer.recipients[0].clone();
        let link = Link { transfer: transfer.id, recipient: waits.number };
        let due = |recipient: &Recipient| {
            let mails = mails(&link, true);
            let (to_recipients, to_sender) = mails.due(std::slice::from_ref(recipient));
            (to_recipients.len(), to_sender.is_some())
        };
        assert_eq!(due(&waits), (1, true));
        let bounced = Some(Bounce { time: noon(), cause: FailureCause::Other, reason: String::new() });
        for gone in [
            Recipient { opened: Some(noon()), ..waits.clone() },
            Recipient { recalled: Some(noon()), ..waits.clone() },
            Recipient { bounced, ..waits.clone() },
            Recipient { key_packet: None, ..waits.clone() },
            Recipient { number: 2, ..waits.clone() },
        ] {
            assert_eq!(due(&gone), (0, false), "{gone:?}");
        }
        assert!(mails(&link, false).due(&[]).1.is_some(), "the sender alone is told");
    }
}
