//! What every [`ReminderStore`] must do.

use std::time::Duration;

use futures_util::future::join_all;

use super::sample::*;
use crate::audit::Action;
use crate::clock::earlier;
use crate::id::Link;
use crate::store::*;

/// ReminderMails for both recipients, and a warning.
fn reminders(link: &Link, occasion: Occasion) -> ReminderMails {
    let to = |recipient| mail(Some(&Link { recipient, ..link.clone() }), QueueItemKind::Reminder);
    ReminderMails {
        transfer: link.transfer.clone(),
        occasion,
        expires: days(30),
        now: noon(),
        to_recipients: vec![to(1), to(2)],
        to_sender: (occasion == Occasion::LastDays).then(|| mail(None, QueueItemKind::Unopened)),
    }
}

pub async fn reminders_are_due_at_half_time_and_in_the_last_days(store: &dyn Store) {
    let link = linked(store).await;
    assert!(due(store, earlier(days(15), Duration::from_micros(1))).await.is_empty());
    assert_eq!(due(store, days(15)).await, [Occasion::HalfTime]);
    let first = ReminderMails { now: days(15), ..reminders(&link, Occasion::HalfTime) };
    assert_eq!(store.enqueue_reminders(first).await.unwrap(), 2);
    assert!(due(store, days(27)).await.is_empty());
    assert_eq!(due(store, days(28)).await, [Occasion::LastDays]);
    assert!(due(store, days(30)).await.is_empty(), "it is over");
    let last = ReminderMails { now: days(28), ..reminders(&link, Occasion::LastDays) };
    assert_eq!(store.enqueue_reminders(last).await.unwrap(), 3);
    assert!(due(store, days(29)).await.is_empty());
    assert_eq!(kinds(store).await, ["reminder", "reminder", "reminder", "reminder", "unopened"]);

    // Another date: once more, but not on the heels of the last.
    let event = event(Action::Extend);
    let extension = Extension {
        transfer: link.transfer,
        expires: days(31),
        closed: noon(),
        event,
        now: noon(),
        notices: Vec::new(),
    };
    assert!(store.extend(extension).await.unwrap());
    assert!(due(store, earlier(days(29), Duration::from_secs(1))).await.is_empty());
    assert_eq!(due(store, days(29)).await, [Occasion::LastDays]);
}

pub async fn reminders_are_queued_once(store: &dyn Store) {
    let link = linked(store).await;
    let both = [reminders(&link, Occasion::HalfTime), reminders(&link, Occasion::HalfTime)];
    let queued = join_all(both.map(|one| store.enqueue_reminders(one))).await;
    assert_eq!(queued.into_iter().map(|queued| queued.unwrap()).sum::<usize>(), 2);
    let stale = ReminderMails { expires: days(29), ..reminders(&link, Occasion::LastDays) };
    assert_eq!(store.enqueue_reminders(stale).await.unwrap(), 0, "written for another date");
}

pub async fn who_opened_meanwhile_is_not_reminded(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    assert_eq!(store.enqueue_reminders(reminders(&link, Occasion::HalfTime)).await.unwrap(), 1);
    open(store, session(2, &Link { recipient: 2, ..link.clone() })).await.unwrap();
    assert_eq!(
        store.enqueue_reminders(reminders(&link, Occasion::LastDays)).await.unwrap(),
        0,
        "no warning either"
    );
    assert!(due(store, days(28)).await.is_empty());
    let over = linked(store).await;
    store.expire(Whose::everybody(), days(30), days(30)).await.unwrap();
    assert_eq!(store.enqueue_reminders(reminders(&over, Occasion::HalfTime)).await.unwrap(), 0);
}
