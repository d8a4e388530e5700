//! What every [`QueueAdmin`] must do.

use super::sample::*;
use crate::address::ReversePath;
use crate::audit::Action;
use crate::clock::days_later;
use crate::diagnostic::{Diagnostic, EnhancedCode, Outcome, Stage};
use crate::id::{BlobName, Link, OrganisationId, QueueId, TransferId};
use crate::store::*;

pub async fn retry_makes_due_but_never_twice(store: &dyn Store) {
    for minute in [20, 30] {
        store.commit(message(vec![NewItem { created: minutes(minute), ..item() }])).await.unwrap();
    }
    let held = claimed(store, item()).await;
    let waiting = store.queue().await.unwrap()[1].id.clone();
    assert_eq!(store.retry(Some(waiting.clone()), minutes(1), None).await.unwrap(), 1);
    let due = store.claim_due(&owner(), minutes(1), minutes(40), 10).await.unwrap();
    assert_eq!(due.iter().map(|item| &item.id).collect::<Vec<_>>(), [&waiting]);

    assert_eq!(store.retry(Some(held.id.clone()), minutes(2), None).await.unwrap(), 1);
    assert_eq!(store.retry(None, minutes(2), None).await.unwrap(), 3);
    let due = store.claim_due(&owner(), minutes(2), minutes(40), 10).await.unwrap();
    assert_eq!(due.len(), 1, "the two that are claimed stay so");
    assert_eq!(store.retry(Some(QueueId::random()), minutes(2), None).await.unwrap(), 0);
}

/// C38
pub async fn what_is_frozen_waits_for_somebody(store: &dyn Store) {
    let frozen = NewItem { kind: QueueItemKind::Receipt, ..item() };
    let item = claimed(store, frozen).await;
    let no = said(550, "5.1.1 no");
    let outcomes = vec![(1, Outcome::Delivered), (2, Outcome::Deferred(no.clone()))];
    let ended = Attempt { problem: Some(Problem::Frozen), ..attempt(&item, outcomes) };
    store.finish_attempt(ended).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
    store.release_claims(&owner()).await.unwrap();
    store.make_all_due(minutes(60)).await.unwrap();
    let years = days_later(noon(), 3650);
    assert!(store.claim_due(&owner(), years, years, 10).await.unwrap().is_empty());

    let entry = store.queue().await.unwrap().remove(0);
    assert_eq!(entry.problem, Some(Problem::Frozen));
    let states: Vec<_> = entry.recipients.iter().map(|one| (one.state, one.diagnostic.clone())).collect();
    assert_eq!(states, [(RecipientState::Delivered, None), (RecipientState::Frozen, Some(no.clone()))]);
    let gauges = store.gauges(noon()).await.unwrap();
    let [problem] = gauges.problems.as_slice() else { panic!("one problem: {:?}", gauges.problems) };
    assert_eq!((problem.problem, problem.items), (Problem::Frozen, 1));
    assert_eq!((&problem.diagnostic, gauges.oldest_queued), (&Some(no), None));

    assert_eq!(store.retry(Some(item.id.clone()), minutes(60), None).await.unwrap(), 1);
    assert!(store.gauges(noon()).await.unwrap().problems.is_empty());
    let again = store.claim_due(&owner(), minutes(60), years, 10).await.unwrap().remove(0);
    assert_eq!((again.id.clone(), again.recipients.len()), (item.id, 1));
    let no = Diagnostic::local(Some(Stage::StartTls), EnhancedCode::new(4, 7, 5), "no");
    let outcomes = vec![(2, Outcome::Deferred(no.clone()))];
    let waits = Attempt { problem: Some(Problem::NeedsTls), ..attempt(&again, outcomes) };
    store.finish_attempt(waits).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(5)), "what only waits is tried again");
    let problems = store.gauges(noon()).await.unwrap().problems;
    assert_eq!((problems[0].problem, &problems[0].diagnostic), (Problem::NeedsTls, &Some(no)));
}

pub async fn a_dropped_item_is_gone(store: &dyn Store) {
    let blob = BlobName::random();
    let gone = NewItem { body: in_blob(blob.clone()), ..item() };
    let (id, kept) = (gone.id.clone(), item());
    let kept_id = kept.id.clone();
    store.commit(message(vec![gone, kept])).await.unwrap();
    assert!(store.drop_item(id.clone(), event(Action::Drop)).await.unwrap());
    assert!(!store.drop_item(id, event(Action::Drop)).await.unwrap());
    assert_eq!(store.pending_deletion(10).await.unwrap(), [blob]);
    assert_eq!(store.claim_due(&owner(), noon(), minutes(1), 10).await.unwrap()[0].id, kept_id);
}

pub async fn the_queue_can_be_looked_at(store: &dyn Store) {
    let link = Link { transfer: TransferId::random(), recipient: 2 };
    let mut notice = NewItem { kind: QueueItemKind::Receipt, link: Some(link.clone()), ..item() };
    notice.envelope.reverse_path = ReversePath::Null;
    notice.created = minutes(1);
    store.commit(message(vec![notice, item()])).await.unwrap();
    let entries = store.queue().await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.created).collect::<Vec<_>>(), [noon(), minutes(1)]);
    assert_eq!((entries[0].from.as_str(), entries[0].kind), ("jan@voorbeeld.nl", QueueItemKind::Message));
    assert_eq!((entries[1].from.as_str(), entries[1].kind), ("<>", QueueItemKind::Receipt));
    assert_eq!((&entries[1].transfer, entries[1].attempts), (&Some(link.transfer), 0));
    assert_eq!(entries[1].next_attempt, minutes(1));
    let whose = entries[0].organisation.as_ref().map(OrganisationId::as_str);
    assert_eq!(whose, Some("voorbeeld.nl"));
    let recipients: Vec<_> = entries[0].recipients.iter().map(|r| (r.address.as_str(), r.state)).collect();
    assert_eq!(
        recipients,
        [("a@example.org", RecipientState::Waiting), ("b@example.org", RecipientState::Waiting)]
    );
}
