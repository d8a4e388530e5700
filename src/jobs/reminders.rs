//! What the timer tells people: recipients that something is still there for them, senders that it has not been opened,
//! and senders what else was downloaded since they last heard. Called by `retention` at every turn.
//!
//! Exactly once each: a mail is queued in the transaction that notes that it was. So two nodes at once send it once,
//! and a crash before that transaction only means that the next turn sends it. Never to a machine or about one's mail
//! (H09), never about a link that was opened, taken back or came back.

use std::sync::Arc;

use crate::clock::{Timestamp, days_later, earlier};
use crate::sender::{ActionError, Actions, SenderService};
use crate::settings::Settings;
use crate::store::{DueReminder, Occasion, ReminderMails, ReminderStore, StoreError, Transfer};
use crate::transfer::LinkState;
use crate::transfer::schedule::{APART, LAST_DAYS, Schedule};

/// Transfers looked at in one turn: a minute's work, whatever has piled up.
const AT_ONCE: usize = 200;

/// The mails of the timer.
pub struct Reminders {
    store: Arc<dyn ReminderStore>,
    sender: SenderService,
}

impl Reminders {
    /// What is due is in `store`; `sender` writes the mails.
    pub fn new(store: Arc<dyn ReminderStore>, sender: SenderService) -> Self {
        Self { store, sender }
    }

    /// Everything that is due at `now`. One transfer that fails keeps no other waiting.
    pub async fn turn(&self, settings: &Arc<Settings>, now: Timestamp) -> Result<(), StoreError> {
        let actions = self.sender.under(Arc::clone(settings));
        let mut queued = 0;
        if settings.operator().seal.reminders {
            let last_days = days_later(now, LAST_DAYS);
            for due in self.store.due_reminders(now, last_days, earlier(now, APART), AT_ONCE).await? {
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
        let schedule = Schedule::of(transfer.created, transfer.expires);
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
        // What is not worth a mail is noted all the same, or it would come up at every turn.
        if is_worth_it && is_ours(settings, &transfer) && transfer.expires > now {
            write(actions, &transfer, &mut reminders)?;
        }
        Ok(self.store.enqueue_reminders(reminders).await?)
    }
}

/// Reminders are in the sender's name, so it must be one of ours: what a resident has sent is not reminded of (M06).
fn is_ours(settings: &Settings, transfer: &Transfer) -> bool {
    transfer.hears() && transfer.sender.as_ref().is_some_and(|sender| settings.is_internal(sender))
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
    // Who has not even got the notification yet is not reminded of it.
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

/// How many mails were queued; trouble is logged, and tried again at the next turn.
fn said(done: Result<usize, ActionError>, object: &str) -> usize {
    done.unwrap_or_else(|error| {
        tracing::error!(object, %error, "a reminder or notice could not be made; the next turn tries again");
        0
    })
}
