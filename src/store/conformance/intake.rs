//! What every [`IntakeStore`] must do.

use futures_util::future::join_all;

use super::sample::*;
use crate::audit::Action;
use crate::cause::FailureCause;
use crate::clock::days_later;
use crate::diagnostic::Outcome;
use crate::envelope::Reported;
use crate::id::{Link, QueueId};
use crate::store::*;

fn reported(own: bool, action: Reported, reason: &str) -> DeliveryReport {
    DeliveryReport { own, action, time: minutes(1), cause: FailureCause::Other, reason: reason.to_owned() }
}

/// Everything or nothing: the last row of the message cannot be written, so the first ones are not there.
pub async fn what_is_refused_leaves_nothing(store: &dyn Store) {
    let known = item();
    let again = NewItem { id: known.id.clone(), ..item() };
    store.commit(message(vec![known])).await.unwrap();

    let (mut transfer, hash) = (transfer(), [9; 32]);
    transfer.thread = vec![hash];
    let blobs: Vec<_> = transfer.parts.iter().map(|part| part.blob.clone()).collect();
    let id = transfer.id.clone();
    let refused = Acceptance { transfer: Some(transfer), ..message(vec![item(), again]) };
    assert!(matches!(store.commit(refused).await, Err(StoreError::Database(_))));

    assert_eq!(store.queue().await.unwrap().len(), 1);
    assert!(store.transfer(id).await.unwrap().is_none());
    assert!(!store.is_sealed_thread(vec![hash]).await.unwrap());
    assert_eq!(store.unreferenced_blobs(blobs.clone()).await.unwrap(), blobs);
}

pub async fn one_refusal_spoils_no_other(store: &dyn Store) {
    let known = QueueId::random();
    store.commit(message(vec![NewItem { id: known.clone(), ..item() }])).await.unwrap();
    let results = join_all((0..60).map(|number| {
        let id = if number % 3 == 0 { known.clone() } else { QueueId::random() };
        store.commit(message(vec![item(), NewItem { id, ..item() }]))
    }))
    .await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), number % 3 == 0, "{number}: {result:?}");
    }
    assert_eq!(store.queue().await.unwrap().len(), 1 + 2 * 40);
}

pub async fn a_sealed_thread_is_known(store: &dyn Store) {
    let (first, second) = (
        NewTransfer { thread: vec![[1; 32], [2; 32]], ..transfer() },
        NewTransfer { thread: vec![[2; 32], [3; 32]], answers: vec![[1; 32], [9; 32]], ..transfer() },
    );
    store.commit(sealed(first)).await.unwrap();
    store.commit(sealed(second)).await.unwrap();
    for (hashes, known) in [
        (vec![], false),
        (vec![[9; 32]], false),
        (vec![[1; 32]], true),
        (vec![[9; 32], [8; 32], [3; 32]], true),
    ] {
        assert_eq!(store.is_sealed_thread(hashes.clone()).await.unwrap(), known, "{hashes:?}");
    }
    store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    assert!(store.is_sealed_thread(vec![[2; 32]]).await.unwrap(), "an answer may come after the expiry date");
}

pub async fn a_delivered_notification_is_noted(store: &dyn Store) {
    let link = linked(store).await;
    let item = claimed(store, notice(&link, QueueItemKind::Receipt)).await;
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    assert_eq!(recipient(store, &link).await.notified, None, "a receipt is no notification");
    let item = claimed(store, notice(&link, QueueItemKind::Notification)).await;
    let later = vec![(1, Outcome::Deferred(said(451, "4.3.0")))];
    store.finish_attempt(attempt(&item, later)).await.unwrap();
    assert_eq!(recipient(store, &link).await.notified, None);
    let again = store.claim_due(&owner(), minutes(5), minutes(10), 10).await.unwrap().remove(0);
    let ended = Attempt { now: minutes(6), ..attempt(&again, delivered()) };
    store.finish_attempt(ended).await.unwrap();
    let one = recipient(store, &link).await;
    assert_eq!((one.notified, one.bounced), (Some(minutes(6)), None));
    assert_eq!(recipient(store, &Link { recipient: 2, ..link }).await.notified, None);
}

pub async fn reports_are_kept_and_close_only_what_nobody_has_opened(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    for report in [
        reported(false, Reported::Failed, "1"),
        reported(false, Reported::Failed, "2"),
        reported(true, Reported::Delayed, "3"),
        reported(true, Reported::Delivered, "4"),
    ] {
        assert!(!store.note_delivery_report(link.clone(), report).await.unwrap());
    }
    open(store, session(1, &link)).await.unwrap();
    assert!(
        !store.note_delivery_report(link.clone(), reported(true, Reported::Failed, "5")).await.unwrap(),
        "it was opened"
    );
    assert!(live(store, 1, noon()).await.is_some());
    assert!(store.note_delivery_report(second.clone(), reported(true, Reported::Failed, "6")).await.unwrap());
    assert!(
        !store.note_delivery_report(second, reported(true, Reported::Failed, "7")).await.unwrap(),
        "it is closed already"
    );
    let nobody = Link { recipient: 9, ..link.clone() };
    assert!(!store.note_delivery_report(nobody, reported(true, Reported::Failed, "8")).await.unwrap());
    let mut kept = store.delivery_reports(link.transfer.clone()).await.unwrap();
    kept.sort_by_key(|(_, report)| report.reason.clone());
    let kept: Vec<_> =
        kept.into_iter().map(|(number, one)| (number, one.own, one.action, one.reason)).collect();
    let of_first = |own, action, reason: &str| (1, own, action, reason.to_owned());
    assert_eq!(
        kept,
        [
            of_first(false, Reported::Failed, "2"),
            of_first(true, Reported::Delayed, "3"),
            of_first(true, Reported::Delivered, "4"),
            of_first(true, Reported::Failed, "5"),
        ]
    );
    assert_eq!(store.audit_log(link.transfer).await.unwrap().len(), 5, "one event for each kind");
}

pub async fn a_bounce_closes_a_link_until_the_next_notification(store: &dyn Store) {
    let link = linked(store).await;
    let item = claimed(store, notice(&link, QueueItemKind::Notification)).await;
    let why = said(550, "5.1.1 no such user");
    let reason = why.to_string();
    let failed = vec![(1, Outcome::Failed(why))];
    store.finish_attempt(attempt(&item, failed)).await.unwrap();
    let bounce = Bounce { time: minutes(1), cause: FailureCause::UnknownAddress, reason };
    assert_eq!(recipient(store, &link).await.bounced, Some(bounce.clone()));
    assert!(matches!(open(store, session(2, &link)).await, Err(StoreError::Gone)));
    let failed = reported(true, Reported::Failed, &bounce.reason);
    assert!(!store.note_delivery_report(link.clone(), failed.clone()).await.unwrap(), "it is closed already");
    let second = Link { recipient: 2, ..link.clone() };
    assert!(store.note_delivery_report(second.clone(), failed.clone()).await.unwrap());

    assert_eq!(store.enqueue_limited(limited(&link, true), noon()).await.unwrap(), EnqueueOutcome::Queued);
    open(store, session(3, &link)).await.unwrap();
    assert!(matches!(open(store, session(4, &second)).await, Err(StoreError::Gone)));
    store.recall(recall(&link, None)).await.unwrap();
    assert!(!store.note_delivery_report(link.clone(), failed).await.unwrap(), "it is taken back");
    let trail = store.audit_log(link.transfer).await.unwrap();
    let closed = trail.iter().filter(|entry| entry.action == Action::Bounce).count();
    let taken_back = trail.iter().filter(|entry| entry.action == Action::Recall).count();
    assert_eq!((closed, taken_back), (2, 2));
}
