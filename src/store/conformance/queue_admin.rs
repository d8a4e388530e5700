//! What every [`QueueAdmin`] must do.

use std::time::Duration;

use super::sample::*;
use crate::address::ReversePath;
use crate::audit::{Action, Actor, Recorded};
use crate::clock::{Timestamp, days_later, later};
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
    assert_eq!(store.drop_item(id.clone(), event(Action::Drop)).await.unwrap(), StepEnd::Done);
    assert_eq!(store.drop_item(id, event(Action::Drop)).await.unwrap(), StepEnd::NotThere);
    assert_eq!(store.pending_deletion(10).await.unwrap(), [blob]);
    assert_eq!(store.claim_due(&owner(), noon(), minutes(1), 10).await.unwrap()[0].id, kept_id);
    let end = store.drop_item(kept_id, event(Action::Drop)).await.unwrap();
    assert_eq!(end, StepEnd::InDelivery, "it may have left");
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

fn ruling(since: Timestamp) -> Ruling {
    let by = Recorded::Known(Actor::Admin("beheer".to_owned()));
    Ruling { since, by, reason: Some("wacht op Jan: \u{e9}\u{e9}n dag".to_owned()) }
}

async fn take(store: &dyn Store, step: Step, items: &[&QueueId], now: Timestamp) -> Vec<StepEnd> {
    let action = match step {
        Step::Hold(_) => Action::Hold,
        Step::Release => Action::Release,
        Step::Bounce(_) => Action::SendBack,
    };
    let events = items.iter().map(|item| ((*item).clone(), event(action))).collect();
    let ends = store.take_step(step, events, now).await.unwrap();
    assert_eq!(ends.iter().map(|(item, _)| item).collect::<Vec<_>>(), items);
    ends.into_iter().map(|(_, end)| end).collect()
}

async fn due_items(store: &dyn Store, now: Timestamp) -> Vec<Item> {
    store.claim_due(&owner(), now, later(now, Duration::from_secs(600)), 10).await.unwrap()
}

/// Neither by itself, nor with everything else, nor when the clock is set back or the next hop comes back.
pub async fn what_is_held_is_not_delivered_until_it_is_released(store: &dyn Store) {
    store.commit(message(vec![item(), NewItem { created: minutes(2), ..item() }])).await.unwrap();
    let ids: Vec<_> = store.queue().await.unwrap().into_iter().map(|entry| entry.id).collect();
    let (held, other, unknown) = (&ids[0], &ids[1], &QueueId::random());
    let hold = || Step::Hold(ruling(minutes(1)));
    let ends = take(store, hold(), &[held, unknown], minutes(1)).await;
    assert_eq!(ends, [StepEnd::Done, StepEnd::NotThere]);
    assert_eq!(take(store, hold(), &[held], minutes(2)).await, [StepEnd::Unchanged]);
    assert_eq!(store.retry(None, minutes(1), None).await.unwrap(), 1, "the other one");
    assert_eq!(store.retry(Some(held.clone()), minutes(1), None).await.unwrap(), 0);
    store.make_all_due(minutes(1)).await.unwrap();
    store.make_unreached_due(minutes(1)).await.unwrap();
    store.release_claims(&owner()).await.unwrap();
    let due = due_items(store, days_later(noon(), 3650)).await;
    assert_eq!(due.iter().map(|item| &item.id).collect::<Vec<_>>(), [other]);

    let entry = store.queue().await.unwrap().remove(0);
    assert_eq!((entry.problem, &entry.hold), (Some(Problem::Held), &Some(ruling(minutes(1)))));
    assert!(entry.recipients.iter().all(|one| one.state == RecipientState::Held), "{entry:?}");
    assert_eq!(store.held().await.unwrap(), [(held.clone(), ruling(minutes(1)))]);
    let gauges = store.gauges(minutes(3)).await.unwrap();
    let problems: Vec<_> = gauges.problems.iter().map(|gauge| (gauge.problem, gauge.items)).collect();
    assert_eq!((problems, gauges.queued), (vec![(Problem::Held, 1)], 2));
    assert_eq!(gauges.oldest_queued, Some(minutes(2)), "what is held does not age");

    assert_eq!(take(store, Step::Release, &[held], minutes(61)).await, [StepEnd::Done]);
    assert_eq!(take(store, Step::Release, &[held], minutes(61)).await, [StepEnd::Unchanged]);
    assert!(store.held().await.unwrap().is_empty());
    let due = due_items(store, minutes(61)).await;
    assert_eq!((due.len(), &due[0].id, due[0].recipients.len()), (1, held, 2));
    let age_from = due[0].by_hand.age_from(due[0].created);
    assert_eq!(age_from, minutes(60), "the hour in which it was held is no part of its age");
    assert_eq!(store.gauges(minutes(61)).await.unwrap().oldest_queued, Some(minutes(2)));
}

/// A decision on what is being delivered is for those whom the attempt does not reach.
pub async fn what_is_being_delivered_is_held_afterwards(store: &dyn Store) {
    let first = claimed(store, item()).await;
    let hold = || Step::Hold(ruling(noon()));
    assert_eq!(take(store, hold(), &[&first.id], noon()).await, [StepEnd::InDelivery]);
    let no = Diagnostic::remote(Stage::Recipient, 450, "4.2.0 later");
    let outcomes = vec![(1, Outcome::Delivered), (2, Outcome::Deferred(no))];
    assert_eq!(store.finish_attempt(attempt(&first, outcomes)).await.unwrap(), AttemptEnd::Recorded);
    let years = days_later(noon(), 3650);
    assert!(due_items(store, years).await.is_empty());
    let entry = store.queue().await.unwrap().remove(0);
    let states: Vec<_> = entry.recipients.iter().map(|one| one.state).collect();
    assert_eq!(states, [RecipientState::Delivered, RecipientState::Held]);

    // A gateway that ended meanwhile, and one that is asked to end while it is delivering: what it gives back is held.
    assert_eq!(take(store, Step::Release, &[&first.id], minutes(2)).await, [StepEnd::Done]);
    let again = due_items(store, minutes(2)).await.remove(0);
    assert_eq!(take(store, hold(), &[&first.id], minutes(2)).await, [StepEnd::InDelivery]);
    store.release_claims(&owner()).await.unwrap();
    let again = match due_items(store, minutes(3)).await.pop() {
        Some(seen) => seen,
        None => again,
    };
    assert_eq!(again.by_hand.hold, Some(ruling(noon())), "the worker sees that it is not to begin");
    store.finish_attempt(Attempt { now: minutes(4), ..attempt(&again, Vec::new()) }).await.unwrap();
    assert!(due_items(store, years).await.is_empty());
    assert_eq!(store.queue().await.unwrap()[0].problem, Some(Problem::Held));
}

pub async fn what_is_sent_back_is_due_at_once(store: &dyn Store) {
    let waits = NewItem { created: minutes(30), ..item() };
    let notice = NewItem { kind: QueueItemKind::Undelivered, created: minutes(30), ..item() };
    let (id, nobody) = (waits.id.clone(), notice.id.clone());
    store.commit(message(vec![waits, notice])).await.unwrap();
    let bounce = || Step::Bounce(ruling(minutes(1)));
    assert_eq!(take(store, Step::Hold(ruling(noon())), &[&id], noon()).await, [StepEnd::Done]);
    let ends = take(store, bounce(), &[&id, &nobody], minutes(1)).await;
    assert_eq!(ends, [StepEnd::Done, StepEnd::NobodyToTell]);
    assert_eq!(take(store, bounce(), &[&id], minutes(1)).await, [StepEnd::Unchanged]);
    let entry = store.queue().await.unwrap().into_iter().find(|entry| entry.id == id).unwrap();
    assert_eq!((entry.problem, entry.hold, entry.bounce), (None, None, Some(ruling(minutes(1)))));
    let due = due_items(store, minutes(1)).await;
    assert_eq!((due.len(), &due[0].id), (1, &id));
    assert_eq!(due[0].by_hand.bounce, Some(ruling(minutes(1))));

    // Nobody could be told: it is kept, and not sent back again and again.
    let no = Diagnostic::local(None, EnhancedCode::new(5, 7, 1), "no");
    let outcomes = vec![(1, Outcome::Deferred(no.clone())), (2, Outcome::Deferred(no.clone()))];
    let kept = Attempt { problem: Some(Problem::Frozen), sends_back: true, ..attempt(&due[0], outcomes) };
    store.finish_attempt(kept).await.unwrap();
    assert!(due_items(store, minutes(20)).await.is_empty());
    let entry = store.queue().await.unwrap().into_iter().find(|entry| entry.id == id).unwrap();
    assert_eq!((entry.problem, entry.bounce), (Some(Problem::Frozen), None));

    // While an attempt is being made, its end is waited for, and no longer.
    store.retry(Some(id.clone()), minutes(21), None).await.unwrap();
    let tried = due_items(store, minutes(21)).await.remove(0);
    assert_eq!(take(store, bounce(), &[&id], minutes(21)).await, [StepEnd::InDelivery]);
    let outcomes = vec![(1, Outcome::Delivered), (2, Outcome::Deferred(no))];
    let end = Attempt { now: minutes(22), next_attempt: minutes(600), ..attempt(&tried, outcomes) };
    store.finish_attempt(end).await.unwrap();
    let due = due_items(store, minutes(22)).await;
    assert_eq!((due.len(), due[0].recipients.len()), (1, 1));
    assert!(due[0].by_hand.bounce.is_some());
}
