//! What every [`StatusStore`] must do.

use super::sample::*;
use crate::audit::{Action, Event};
use crate::cause::FailureCause;
use crate::clock::Timestamp;
use crate::diagnostic::Outcome;
use crate::envelope::Reported;
use crate::id::{Link, TransferId};
use crate::store::*;

pub async fn a_trail_is_of_one_transfer(store: &dyn Store) {
    let link = linked(store).await;
    let about = |object: String, minute| Event { object, time: minutes(minute), ..event(Action::Open) };
    let transfer = link.transfer.to_string();
    for (object, minute) in [
        (format!("{link}/3"), 4),
        (transfer.clone(), 1),
        (link.to_string(), 2),
        (format!("{transfer}x"), 3),
        (format!("{transfer}0"), 3),
        (TransferId::random().to_string(), 3),
    ] {
        store.append_audit(about(object, minute)).await.unwrap();
    }
    let trail = store.audit_log(link.transfer.clone()).await.unwrap();
    let objects: Vec<_> = trail.into_iter().map(|entry| entry.object).collect();
    assert_eq!(objects, [transfer, link.to_string(), format!("{link}/3")]);
}

/// The notification for this link, which goes to one.
fn notification(link: &Link) -> NewItem {
    let mut item = notice(link, QueueItemKind::Notification);
    item.envelope.recipients.truncate(1);
    item
}

/// Its first notification, in delivery.
async fn first_of(store: &dyn Store, link: &Link) -> Item {
    store.commit(message(vec![notification(link)])).await.unwrap();
    claimed_at(store, noon()).await
}

/// A notification for this link once more, made then.
async fn send_again(store: &dyn Store, link: &Link, created: Timestamp) {
    let again = limited(link, true);
    let item = NewItem { created, ..notification(link) };
    let sent = store.enqueue_limited(LimitedNotice { item, ..again }, created).await.unwrap();
    assert_eq!(sent, EnqueueOutcome::Queued);
}

/// The one item that is due then.
async fn claimed_at(store: &dyn Store, now: Timestamp) -> Item {
    let mut items = store.claim_due(&owner(), now, minutes(1000), 10).await.unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

async fn end(store: &dyn Store, item: &Item, outcome: Outcome, now: Timestamp) {
    store.finish_attempt(Attempt { now, ..attempt(item, vec![(1, outcome)]) }).await.unwrap();
}

async fn report_failure(store: &dyn Store, link: &Link, minute: u64) -> bool {
    let (time, cause) = (minutes(minute), FailureCause::MailboxFull);
    let report = DeliveryReport { own: true, action: Reported::Failed, time, cause, reason: "full".into() };
    store.note_delivery_report(link.clone(), report).await.unwrap()
}

pub async fn what_is_sent_again_keeps_the_first_time(store: &dyn Store) {
    let link = linked(store).await;
    assert_eq!(recipient(store, &link).await.first_notified, None);
    let item = first_of(store, &link).await;
    end(store, &item, Outcome::Delivered, minutes(2)).await;
    for minute in [20, 40] {
        send_again(store, &link, minutes(minute)).await;
        let item = claimed_at(store, minutes(minute)).await;
        end(store, &item, Outcome::Delivered, minutes(minute + 1)).await;
        let one = recipient(store, &link).await;
        assert_eq!((one.first_notified, one.notified), (Some(minutes(2)), Some(minutes(minute + 1))));
    }
    // Two attempts, of which the end of the earlier one is recorded last.
    let second = Link { recipient: 2, ..link };
    for (made, ended) in [(60, 70), (80, 65)] {
        send_again(store, &second, minutes(made)).await;
        let item = claimed_at(store, minutes(90)).await;
        end(store, &item, Outcome::Delivered, minutes(ended)).await;
    }
    let one = recipient(store, &second).await;
    assert_eq!((one.first_notified, one.notified), (Some(minutes(65)), Some(minutes(70))));
}

/// What became of an older mail says nothing of one that was sent since, and still waits.
pub async fn a_late_failure_does_not_close_what_is_sent_again(store: &dyn Store) {
    let link = linked(store).await;
    let item = first_of(store, &link).await;
    end(store, &item, Outcome::Delivered, minutes(2)).await;
    send_again(store, &link, minutes(20)).await;
    assert!(!report_failure(store, &link, 21).await, "another one waits");
    open(store, session(1, &Link { recipient: 2, ..link.clone() })).await.unwrap();
    let again = claimed_at(store, minutes(21)).await;
    assert!(!report_failure(store, &link, 22).await, "or is in delivery");
    assert_eq!(recipient(store, &link).await.bounced, None);
    end(store, &again, Outcome::Delivered, minutes(23)).await;
    assert!(report_failure(store, &link, 24).await, "now it may be about the last one");
    assert_eq!(recipient(store, &link).await.bounced.unwrap().cause, FailureCause::MailboxFull);

    // The first waits in the queue, the second goes through; then the first is given up.
    let link = linked(store).await;
    let first = first_of(store, &link).await;
    send_again(store, &link, minutes(20)).await;
    let second = claimed_at(store, minutes(20)).await;
    end(store, &second, Outcome::Delivered, minutes(21)).await;
    end(store, &first, Outcome::Failed(said(550, "5.1.1 no")), minutes(25)).await;
    let one = recipient(store, &link).await;
    assert_eq!((one.bounced, one.notified), (None, Some(minutes(21))));
    let kept = store.delivery_reports(link.transfer.clone()).await.unwrap();
    let (number, report) = &kept[0];
    assert_eq!((*number, report.action, report.cause), (1, Reported::Failed, FailureCause::UnknownAddress));
}

/// Why the mail before did not arrive is still told once it was sent again.
pub async fn a_bounce_is_remembered_when_it_is_sent_again(store: &dyn Store) {
    let link = linked(store).await;
    let item = first_of(store, &link).await;
    end(store, &item, Outcome::Failed(said(552, "5.2.2 full")), minutes(2)).await;
    assert!(store.delivery_reports(link.transfer.clone()).await.unwrap().is_empty());
    send_again(store, &link, minutes(20)).await;
    let kept = store.delivery_reports(link.transfer.clone()).await.unwrap();
    let reason = "552 5.2.2 full (RCPT TO)".to_owned();
    let (time, cause) = (minutes(2), FailureCause::MailboxFull);
    let before = DeliveryReport { own: true, action: Reported::Failed, time, cause, reason };
    assert_eq!(kept, [(1, before)]);
    let item = claimed_at(store, minutes(20)).await;
    end(store, &item, Outcome::Failed(said(550, "5.1.1 no")), minutes(21)).await;
    let bounce = recipient(store, &link).await.bounced.unwrap();
    assert_eq!((bounce.time, bounce.cause), (minutes(21), FailureCause::UnknownAddress));
    send_again(store, &link, minutes(40)).await;
    let kept = store.delivery_reports(link.transfer.clone()).await.unwrap();
    assert_eq!((kept.len(), kept[0].1.time), (1, minutes(21)), "the last of them");
    let trail = store.audit_log(link.transfer).await.unwrap();
    let actions: Vec<_> = trail.iter().filter_map(|entry| entry.action.known()).collect();
    assert_eq!(actions, [&Action::Bounce; 2], "and no report besides");
}
