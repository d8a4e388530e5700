//! What every [`SenderStore`] must do.

use std::time::Duration;

use futures_util::future::{join, join_all, join3};

use super::sample::*;
use crate::audit::{Action, EventResult};
use crate::cause::FailureCause;
use crate::clock::{days_later, earlier};
use crate::envelope::Reported;
use crate::id::Link;
use crate::limits::Rate;
use crate::store::*;

/// C25: the key, then the sessions; with the last key the parts.
pub async fn a_recall_destroys_one_key_or_all(store: &dyn Store) {
    let (first, other) = (linked(store).await, linked(store).await);
    let second = Link { recipient: 2, ..first.clone() };
    for (id, link) in [(1, &first), (2, &second), (3, &other)] {
        open(store, session(id, link)).await.unwrap();
    }
    assert_eq!(store.recall(recall(&first, Some(1))).await.unwrap(), [1]);
    let one = recipient(store, &first).await;
    assert_eq!((one.key_packet, one.recalled, one.opened), (None, Some(minutes(3)), Some(noon())));
    assert!(live(store, 1, noon()).await.is_none());
    assert!(matches!(open(store, session(4, &first)).await, Err(StoreError::Gone)));
    assert!(live(store, 2, noon()).await.is_some(), "the other recipient's");
    assert!(store.pending_deletion(10).await.unwrap().is_empty());

    assert_eq!(store.recall(recall(&first, None)).await.unwrap(), [2], "all that are left");
    assert!(live(store, 2, noon()).await.is_none());
    let transfer = store.transfer(first.transfer.clone()).await.unwrap().unwrap();
    assert!(transfer.parts.is_empty());
    assert_eq!(store.pending_deletion(10).await.unwrap().len(), 3);
    assert!(live(store, 3, noon()).await.is_some(), "another transfer's");
    assert_eq!(
        store.expire(Whose::everybody(), days_later(noon(), 29), days_later(noon(), 29)).await.unwrap(),
        [],
        "it is over already"
    );
    let trail = store.audit_log(first.transfer.clone()).await.unwrap();
    let results: Vec<_> =
        trail.iter().map(|entry| (entry.object.clone(), entry.result.known().cloned())).collect();
    let (one, two) = (first.to_string(), second.to_string());
    let opened = Some(EventResult::OpenedBefore);
    assert_eq!(results, [(one, opened.clone()), (two, opened)]);
}

pub async fn of_two_recalls_one_does_it(store: &dyn Store) {
    let link = linked(store).await;
    let done = join_all((0..4).map(|_| store.recall(recall(&link, None)))).await;
    let done: Vec<u16> = done.into_iter().flat_map(|done| done.unwrap()).collect();
    assert_eq!(done, [1, 2]);
    assert_eq!(store.audit_log(link.transfer).await.unwrap().len(), 2);
}

/// What is in delivery at that moment goes as well; that it arrived after all is noted.
pub async fn a_recall_drops_what_has_not_left(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    let item = claimed(store, notice(&link, QueueItemKind::Notification)).await;
    store.commit(message(vec![notice(&second, QueueItemKind::Notification)])).await.unwrap();
    store.commit(message(vec![notice(&link, QueueItemKind::Receipt)])).await.unwrap();
    store.recall(recall(&link, Some(1))).await.unwrap();
    assert_eq!(queued(store).await, ["notification", "receipt"]);
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    assert_eq!(recipient(store, &link).await.notified, Some(minutes(1)));
}

pub async fn a_recalled_recipient_is_told_only_if_notified(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    let item = claimed(store, notice(&link, QueueItemKind::Notification)).await;
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    let notices = vec![notice(&link, QueueItemKind::Recall), notice(&second, QueueItemKind::Recall)];
    store.recall(Recall { notices, ..recall(&link, None) }).await.unwrap();
    let queue = store.claim_due(&owner(), minutes(9), minutes(20), 10).await.unwrap();
    let told: Vec<_> = queue.into_iter().map(|item| (item.kind, item.link)).collect();
    assert_eq!(told, [(QueueItemKind::Recall, Some(link))]);
}

/// Expired for good, whatever the clock says later.
pub async fn what_is_gone_can_be_neither_recalled_nor_extended(store: &dyn Store) {
    let link = linked(store).await;
    let end = days_later(noon(), 30);
    let extension = |expires, closed| Extension {
        transfer: link.transfer.clone(),
        expires,
        closed,
        event: event(Action::Extend),
        now: noon(),
        notices: Vec::new(),
    };
    assert!(store.extend(extension(end, noon())).await.unwrap());
    assert!(!store.extend(extension(days_later(end, 9), end)).await.unwrap(), "its date has come");
    let late = Recall { now: end, closed: end, ..recall(&link, None) };
    assert_eq!(store.recall(late).await.unwrap(), [] as [u16; 0]);
    store.expire(Whose::everybody(), end, end).await.unwrap();
    assert!(!store.extend(extension(days_later(end, 9), noon())).await.unwrap(), "its keys are gone");
    assert_eq!(store.recall(recall(&link, None)).await.unwrap(), [] as [u16; 0]);

    let link = linked(store).await;
    store.recall(recall(&link, None)).await.unwrap();
    let extension = Extension { transfer: link.transfer.clone(), ..extension(end, noon()) };
    assert!(!store.extend(extension).await.unwrap(), "it was taken back");
}

/// With the date, or not at all: those who can open it, and nobody twice within the limit.
pub async fn a_new_date_is_told_with_it(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    let extension = |now, closed| Extension {
        transfer: link.transfer.clone(),
        expires: days_later(noon(), 60),
        closed,
        event: event(Action::Extend),
        now,
        notices: [&link, &second]
            .map(|link| LimitedNotice { bucket: format!("extend {link}"), ..limited(link, true) })
            .into(),
    };
    let end = days_later(noon(), 30);
    assert!(!store.extend(extension(end, end)).await.unwrap());
    assert!(queued(store).await.is_empty(), "no date, no mail");
    assert!(
        store.extend(extension(days_later(noon(), 31), noon())).await.unwrap(),
        "open by the new date only"
    );
    assert_eq!(queued(store).await.len(), 2);
    let again = extension(days_later(noon(), 31), noon());
    assert!(store.extend(again).await.unwrap(), "the date is given all the same");
    assert_eq!(queued(store).await.len(), 2);
    store.recall(recall(&link, Some(1))).await.unwrap();
    let left = queued(store).await.len();
    assert!(store.extend(extension(days_later(noon(), 32), noon())).await.unwrap());
    assert_eq!(queued(store).await.len(), left + 1, "not to who cannot open it any more");
}

/// H42: many links bring no more than there may be in all, and a link that was refused for it has lost nothing.
pub async fn limited_notices_are_bounded_in_all(store: &dyn Store) {
    let (one, other) = (linked(store).await, linked(store).await);
    let send = async |link: &Link, time| {
        let in_all = ("few".to_owned(), Rate::per(1, Duration::from_secs(300)));
        store.enqueue_limited(LimitedNotice { in_all, ..limited(link, true) }, time).await.unwrap()
    };
    assert_eq!(send(&one, noon()).await, EnqueueOutcome::Queued);
    assert_eq!(send(&other, noon()).await, EnqueueOutcome::NotBefore(minutes(5)));
    assert_eq!(send(&other, minutes(5)).await, EnqueueOutcome::Queued);
    assert_eq!(queued(store).await.len(), 2);
}

pub async fn a_limited_notice_goes_once(store: &dyn Store) {
    let link = linked(store).await;
    let sent = join_all((0..3).map(|_| store.enqueue_limited(limited(&link, true), noon()))).await;
    let sent: Vec<_> = sent.into_iter().map(|sent| sent.unwrap()).collect();
    // Whichever comes first.
    let (queued_now, refused): (Vec<_>, Vec<_>) =
        sent.into_iter().partition(|outcome| *outcome == EnqueueOutcome::Queued);
    assert_eq!(queued_now.len(), 1);
    assert_eq!(refused, [EnqueueOutcome::NotBefore(minutes(10)), EnqueueOutcome::NotBefore(minutes(10))]);
    assert_eq!(queued(store).await.len(), 1);
    assert_eq!(
        store.enqueue_limited(limited(&link, true), minutes(10)).await.unwrap(),
        EnqueueOutcome::Queued
    );

    let end = days_later(noon(), 30);
    assert_eq!(store.enqueue_limited(limited(&link, true), end).await.unwrap(), EnqueueOutcome::Closed);
    assert_eq!(
        store.enqueue_limited(limited(&link, false), end).await.unwrap(),
        EnqueueOutcome::Queued,
        "to the sender"
    );
    store.recall(recall(&link, Some(1))).await.unwrap();
    assert_eq!(
        store.enqueue_limited(limited(&link, true), minutes(30)).await.unwrap(),
        EnqueueOutcome::Closed
    );
}

pub async fn a_lock_can_be_taken_off(store: &dyn Store) {
    let link = linked(store).await;
    assert!(!store.clear_tries(link.clone(), event(Action::Unlock)).await.unwrap(), "there is none");
    for _ in 0..5 {
        try_once(store, &link, noon()).await;
    }
    assert!(matches!(try_once(store, &link, noon()).await, Try::Locked(_)));
    assert!(store.clear_tries(link.clone(), event(Action::Unlock)).await.unwrap());
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { locked: None }));
    store.recall(recall(&link, None)).await.unwrap();
    assert!(!store.clear_tries(link, event(Action::Unlock)).await.unwrap(), "it is taken back");
}

/// Whichever comes first: no session is left, no key, and the trail says whether it had been opened as the row does.
pub async fn of_a_recall_and_an_opening_nothing_stays_open(store: &dyn Store) {
    for round in 0..20 {
        let link = linked(store).await;
        let (opened, recalled) =
            join(open(store, session(round, &link)), store.recall(recall(&link, Some(1)))).await;
        assert!(matches!(opened, Ok(()) | Err(StoreError::Gone)), "{opened:?}");
        assert_eq!(recalled.unwrap(), [1]);
        assert!(live(store, round, noon()).await.is_none(), "round {round}");
        assert_eq!(recipient(store, &link).await.key_packet, None);
        assert!(matches!(open(store, session(round, &link)).await, Err(StoreError::Gone)));
    }
}

/// The sender and retention see different clocks: one of them does it, and it is whole or gone.
pub async fn a_transfer_is_extended_or_expires(store: &dyn Store) {
    let end = days_later(noon(), 30);
    for round in 0..20 {
        let link = linked(store).await;
        let extension = Extension {
            transfer: link.transfer.clone(),
            expires: days_later(end, 9),
            closed: earlier(end, Duration::from_secs(1)),
            event: event(Action::Extend),
            now: noon(),
            notices: Vec::new(),
        };
        let (extended, expired) =
            join(store.extend(extension), store.expire(Whose::everybody(), end, end)).await;
        let (extended, expired) = (extended.unwrap(), expired.unwrap().contains(&link.transfer));
        assert_ne!(extended, expired, "round {round}");
        let transfer = store.transfer(link.transfer.clone()).await.unwrap().unwrap();
        assert_eq!(
            (transfer.parts.len(), transfer.expires > end),
            if extended { (3, true) } else { (0, false) }
        );
    }
}

/// Whichever comes first: the mail that is on its way leads to an open link.
pub async fn of_a_failure_and_a_mail_sent_again_the_link_stays_open(store: &dyn Store) {
    for round in 0..20 {
        let link = linked(store).await;
        let (time, cause) = (minutes(1), FailureCause::Refused);
        let report =
            DeliveryReport { own: true, action: Reported::Failed, time, cause, reason: "550".into() };
        let (closed, sent, again) = join3(
            store.note_delivery_report(link.clone(), report.clone()),
            store.enqueue_limited(limited(&link, true), noon()),
            store.note_delivery_report(link.clone(), report),
        )
        .await;
        assert!(!(closed.unwrap() && again.unwrap()), "a link is closed once");
        assert_eq!(sent.unwrap(), EnqueueOutcome::Queued);
        assert_eq!(recipient(store, &link).await.bounced, None, "round {round}");
        let kept = store.delivery_reports(link.transfer.clone()).await.unwrap();
        assert_eq!(kept.len(), 1, "and the sender is told of it");
    }
}
