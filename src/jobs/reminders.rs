//! Reminders: recipients are told that a transfer still waits for them, senders that it has not been opened, and senders
//! what was downloaded since they were last told. `retention` calls this at every turn.
//!
//! Each mail is sent exactly once, because it is queued in the transaction that notes it: two nodes at once send it once,
//! and after a crash before that transaction the next turn sends it. What must never happen: a mail to a machine or about
//! a machine's mail (H09), or about a link that was opened or recalled, or whose notification came back.

use std::sync::Arc;

use crate::address::Address;
use crate::clock::{Timestamp, earlier};
use crate::sender::{ActionError, Actions, SenderService};
use crate::settings::Settings;
use crate::store::{DueReminder, Occasion, ReminderMails, ReminderStore, StoreError, Transfer};
use crate::transfer::LinkState;
use crate::transfer::schedule::{APART, ReminderSchedule};

/// The most transfers in one turn, so that a turn takes a minute at most.
const AT_ONCE: usize = 200;

/// Writes and queues the reminders that are due.
pub struct Reminders {
    store: Arc<dyn ReminderStore>,
    sender: SenderService,
}

impl Reminders {
    /// `store` knows what is due, `sender` writes the mails.
    pub fn new(store: Arc<dyn ReminderStore>, sender: SenderService) -> Self {
        Self { store, sender }
    }

    /// Queues everything that is due at `now`. A transfer that fails does not delay the others.
    pub async fn turn(&self, settings: &Arc<Settings>, now: Timestamp) -> Result<(), StoreError> {
        let actions = self.sender.under(Arc::clone(settings));
        let mut queued = 0;
        for organisation in settings.organisations().filter(|organisation| organisation.seal.reminders) {
            let (whose, quiet_since) = (settings.rows_of(organisation), earlier(now, APART));
            let last_days = ReminderSchedule::last_days(now, &organisation.zone);
            for due in self.store.due_reminders(whose, now, last_days, quiet_since, AT_ONCE).await? {
                queued += said(self.remind(settings, &actions, &due, now).await, due.transfer.as_str());
            }
        }
        for link in self.store.due_downloads(actions.notices_quiet_since(now), AT_ONCE).await? {
            queued += said(actions.follow_up(&link, now).await, &link.to_string());
        }
        if queued > 0 {
            actions.wake();
        }
        Ok(())
    }

    /// Writes to all who have not opened it, and, in the last days, to the sender.
    async fn remind(
        &self,
        settings: &Settings,
        actions: &Actions,
        due: &DueReminder,
        now: Timestamp,
    ) -> Result<usize, ActionError> {
        let Some(transfer) = self.store.transfer(due.transfer.clone()).await? else { return Ok(0) };
        let zone = &settings.responsible(transfer.organisation.as_ref()).zone;
        let schedule = ReminderSchedule::of(transfer.created, transfer.expires, zone);
        let is_worth_it = match due.occasion {
            Occasion::HalfTime => schedule.half_is_worth_it(now),
            Occasion::LastDays => schedule.last.is_some(),
        };
        let mut reminders = ReminderMails {
            transfer: transfer.id.clone(),
            occasion: due.occasion,
            expires: transfer.expires,
            now,
            to_recipients: Vec::new(),
            to_sender: None,
        };
        // A reminder that is not worth a mail is noted too, or it would be due again at every turn.
        if is_worth_it && is_ours(settings, &transfer) && transfer.expires > now {
            write(actions, &transfer, &mut reminders)?;
        }
        Ok(self.store.enqueue_reminders(reminders).await?)
    }
}

/// Reminders are sent in the name of the sender, who must be of the transfer's organisation. There are none about what a
/// resident has sent (M06), and none in the name of an organisation that is here no more.
fn is_ours(settings: &Settings, transfer: &Transfer) -> bool {
    let organisation = settings.of(transfer.organisation.as_ref());
    let is_sender = |sender: &Address| organisation.is_some_and(|one| sender.is_internal(&one.domains));
    transfer.has_sender_to_tell() && transfer.sender.as_ref().is_some_and(is_sender)
}

fn write(actions: &Actions, transfer: &Transfer, reminders: &mut ReminderMails) -> Result<(), ActionError> {
    let is_waiting = |number: &u16| {
        let recipient = transfer.recipients.iter().find(|one| one.number == *number);
        recipient.is_some_and(|one| LinkState::of(transfer, one, reminders.now) == LinkState::Waiting)
    };
    let waiting: Vec<u16> = transfer.recipients.iter().map(|one| one.number).filter(is_waiting).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let mails = actions.mails(transfer, reminders.now);
    // A recipient whose notification was not delivered yet is not reminded of it.
    let knows = |number: &&u16| {
        transfer.recipients.iter().any(|one| one.number == **number && one.notified.is_some())
    };
    for number in waiting.iter().filter(knows) {
        reminders.to_recipients.push(mails.reminder(*number)?);
    }
    if reminders.occasion == Occasion::LastDays {
        reminders.to_sender = Some(mails.unopened(&waiting)?);
    }
    Ok(())
}

/// The number of mails that were queued. An error is logged, and the next turn tries again.
fn said(done: Result<usize, ActionError>, object: &str) -> usize {
    done.unwrap_or_else(|error| {
        tracing::error!(object, %error, "a reminder or notice could not be made; the next turn tries again");
        0
    })
}
