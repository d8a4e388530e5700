//! Where mail is, and where it went.

use super::*;
use crate::address::ReversePath;
use crate::audit::Action;
use crate::diagnostic::Outcome;
use crate::id::{Link, QueueId, TransferId};
use crate::store::*;

/// The one message that is found.
async fn one(store: &dyn Store, query: TrackQuery) -> Option<QueueId> {
    let mut found = store.find_tracks(query).await.unwrap();
    assert!(found.len() <= 1, "{found:?}");
    found.pop()
}

fn all() -> TrackQuery {
    TrackQuery::all(10)
}

fn mailbox(text: &str) -> Option<Who> {
    Some(Who::Mailbox(text.into()))
}

fn domain(text: &str) -> Option<Who> {
    Some(Who::Domain(text.into()))
}

async fn states(store: &dyn Store, message: &QueueId) -> Vec<(QueueItemKind, String, TrackState)> {
    let rows = store.tracks(vec![message.clone()]).await.unwrap();
    rows.into_iter().map(|row| (row.kind, row.recipient, row.state)).collect()
}

/// A message that was sealed for one and passed for another, with a notification and a receipt.
fn sealed_message() -> (Acceptance, TransferId) {
    let transfer = transfer();
    let id = transfer.id.clone();
    let link = Link { transfer: id.clone(), recipient: 1 };
    let passed = item();
    let mut acceptance = Acceptance {
        id: passed.id.clone(),
        transfer: Some(transfer),
        ..message(vec![passed, notice(&link, QueueItemKind::Notification)])
    };
    let mut receipt = NewItem { kind: QueueItemKind::Receipt, ..item() };
    receipt.envelope.reverse_path = ReversePath::Null;
    receipt.envelope.recipients = vec![address("jan@voorbeeld.nl").into()];
    receipt.track = Track { transfer: Some(id.clone()), ..Track::default() };
    acceptance.items.push(receipt);
    let row = TrackRow::queued(&item(), &Track::default()).remove(0);
    acceptance.tracks = vec![TrackRow {
        tracking: acceptance.id.clone(),
        item: None,
        recipient: "burger@example.net".into(),
        rule: Some("tagged".into()),
        transfer: Some(id.clone()),
        link: Some(1),
        state: TrackState::Sealed,
        ..row
    }];
    (acceptance, id)
}

pub async fn mail_is_found_by_all_that_names_it(store: &dyn Store) {
    let (acceptance, transfer) = sealed_message();
    let (id, notification) = (acceptance.id.clone(), acceptance.items[1].id.clone());
    store.commit(acceptance).await.unwrap();
    let mut other = NewItem {
        created: minutes(7),
        link: Some(Link { transfer: TransferId::random(), recipient: 1 }),
        ..item()
    };
    other.envelope.reverse_path = ReversePath::Address(address("piet@elders.nl"));
    other.envelope.recipients = vec![address("Quirk@Sub.Example.ORG").into()];
    other.track.message_id = Some("<ander@elders.nl>".into());
    let other_id = other.id.clone();
    store.commit(Acceptance { id: other_id.clone(), ..message(vec![other]) }).await.unwrap();

    for query in [
        TrackQuery { to: mailbox("burger@example.net"), ..all() },
        TrackQuery { to: domain("example.net"), ..all() },
        TrackQuery { from: mailbox("jan@voorbeeld.nl"), ..all() },
        TrackQuery { from: domain("voorbeeld.nl"), to: domain("example.org"), ..all() },
        TrackQuery { from: mailbox(""), ..all() },
        TrackQuery { message_id: Some("<vraag@voorbeeld.nl>".into()), ..all() },
        TrackQuery { id: Some(id.clone()), ..all() },
        TrackQuery { id: Some(notification.clone()), ..all() },
        TrackQuery { transfer: Some(transfer.clone()), ..all() },
        TrackQuery { until: minutes(1), ..all() },
    ] {
        assert_eq!(one(store, query.clone()).await.as_ref(), Some(&id), "{query:?}");
    }
    for query in [
        TrackQuery { to: mailbox("quirk@sub.example.org"), ..all() },
        TrackQuery { to: domain("sub.example.org"), ..all() },
        TrackQuery { from: domain("elders.nl"), ..all() },
        TrackQuery { since: minutes(7), ..all() },
    ] {
        assert_eq!(one(store, query.clone()).await.as_ref(), Some(&other_id), "{query:?}");
    }
    for query in [
        TrackQuery { to: mailbox("quirk@example.org"), ..all() },
        TrackQuery { from: domain("elders.nl"), to: domain("example.net"), ..all() },
        TrackQuery {
            message_id: Some("<ander@elders.nl>".into()),
            from: mailbox("jan@voorbeeld.nl"),
            ..all()
        },
        TrackQuery { id: Some(id.clone()), since: minutes(1), ..all() },
        TrackQuery { since: minutes(8), ..all() },
    ] {
        assert_eq!(one(store, query.clone()).await, None, "{query:?}");
    }
    assert_eq!(store.find_tracks(all()).await.unwrap(), [other_id.clone(), id], "the newest first");
    assert_eq!(store.find_tracks(TrackQuery { most: 1, ..all() }).await.unwrap(), [other_id]);
}

pub async fn a_message_is_told_with_all_that_came_of_it(store: &dyn Store) {
    let (acceptance, transfer) = sealed_message();
    let id = acceptance.id.clone();
    store.commit(acceptance).await.unwrap();
    let reminder = NewItem {
        created: minutes(2),
        ..notice(&Link { transfer: transfer.clone(), recipient: 1 }, QueueItemKind::Reminder)
    };
    let limited = LimitedNotice {
        item: reminder,
        ..limited(&Link { transfer: transfer.clone(), recipient: 1 }, false)
    };
    store.enqueue_limited(limited, minutes(2)).await.unwrap();
    let rows = store.tracks(vec![id.clone()]).await.unwrap();
    assert!(
        rows.iter().all(|row| row.tracking == id),
        "a notice that comes later is of the same message: {rows:?}"
    );
    let mut kinds: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.state.as_str())).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            ("message", "sealed"),
            ("message", "waiting"),
            ("message", "waiting"),
            ("notification", "waiting"),
            ("notification", "waiting"),
            ("receipt", "waiting"),
            ("reminder", "waiting"),
            ("reminder", "waiting"),
        ]
    );
    let sealed = rows.iter().find(|row| row.state == TrackState::Sealed).unwrap();
    assert_eq!(
        (sealed.rule.as_deref(), sealed.link, &sealed.transfer),
        (Some("tagged"), Some(1), &Some(transfer))
    );
}

pub async fn an_attempt_is_told(store: &dyn Store) {
    let mail = NewItem { kind: QueueItemKind::Receipt, ..item() };
    let id = mail.id.clone();
    store.commit(Acceptance { id: id.clone(), ..message(vec![mail]) }).await.unwrap();
    let claimed = store.claim_due(&owner(), noon(), minutes(10), 10).await.unwrap().remove(0);
    let outcomes = vec![
        (1, Outcome::Deferred(said(450, "4.2.0 greylisted"))),
        (2, Outcome::Failed(said(550, "5.1.1 no"))),
    ];
    store.finish_attempt(attempt(&claimed, outcomes)).await.unwrap();
    let rows = store.tracks(vec![id.clone()]).await.unwrap();
    let answers: Vec<_> = rows.iter().map(|row| (row.state, row.attempts, row.answer.as_deref())).collect();
    assert_eq!(
        answers,
        [
            (TrackState::Waiting, 1, Some("450 4.2.0 greylisted (RCPT TO)")),
            (TrackState::Failed, 1, Some("550 5.1.1 no (RCPT TO)")),
        ]
    );
    let claimed = store.claim_due(&owner(), minutes(5), minutes(20), 10).await.unwrap().remove(0);
    let hop = HopReport { answer: Some("250 2.0.0 queued as 4Ym".into()), tls: Some("TLSv1.3".into()) };
    let outcomes = vec![(1, Outcome::Delivered)];
    let tracks = TrackRow::attempted(&claimed, &outcomes, (&hop, "smarthost:25"), false, minutes(6));
    let end = Attempt { now: minutes(6), tracks, ..attempt(&claimed, outcomes) };
    store.finish_attempt(end).await.unwrap();
    let first = store.tracks(vec![id]).await.unwrap().remove(0);
    assert_eq!((first.state, first.attempts, first.changed), (TrackState::Delivered, 2, minutes(6)));
    assert_eq!(first.answer.as_deref(), Some("250 2.0.0 queued as 4Ym"));
    assert_eq!((first.next_hop.as_deref(), first.tls.as_deref()), (Some("smarthost:25"), Some("TLSv1.3")));
}

pub async fn ordinary_mail_is_found_once_it_is_gone(store: &dyn Store) {
    let mail = item();
    let id = mail.id.clone();
    store.commit(Acceptance { id: id.clone(), ..message(vec![mail]) }).await.unwrap();
    let claimed = store.claim_due(&owner(), noon(), minutes(10), 10).await.unwrap().remove(0);
    store.finish_attempt(attempt(&claimed, delivered())).await.unwrap();
    store.write_tracks().await.unwrap();
    let (a, b) = ("a@example.org".to_owned(), "b@example.org".to_owned());
    let expected = [
        (QueueItemKind::Message, a, TrackState::Delivered),
        (QueueItemKind::Message, b, TrackState::Delivered),
    ];
    assert_eq!(states(store, &id).await, expected);
    assert_eq!(one(store, TrackQuery { to: mailbox("b@example.org"), ..all() }).await, Some(id));
    assert_eq!(store.write_tracks().await.unwrap(), 0, "once");
}

pub async fn what_was_taken_out_of_the_queue_is_told(store: &dyn Store) {
    let dropped = NewItem { kind: QueueItemKind::Receipt, ..item() };
    let id = dropped.id.clone();
    store.commit(Acceptance { id: id.clone(), ..message(vec![dropped]) }).await.unwrap();
    assert!(store.drop_item(id.clone(), event(Action::Drop)).await.unwrap().is_change());
    assert!(states(store, &id).await.iter().all(|(_, _, state)| *state == TrackState::Removed));

    let (acceptance, transfer) = sealed_message();
    let id = acceptance.id.clone();
    store.commit(acceptance).await.unwrap();
    store.recall(recall(&Link { transfer, recipient: 1 }, Some(1))).await.unwrap();
    let removed = states(store, &id).await.into_iter().filter(|(_, _, state)| *state == TrackState::Removed);
    assert!(
        removed.clone().count() > 0 && removed.clone().all(|(kind, ..)| kind == QueueItemKind::Notification)
    );
}

pub async fn what_comes_late_overwrites_nothing(store: &dyn Store) {
    let mail = NewItem { kind: QueueItemKind::Receipt, ..item() };
    let id = mail.id.clone();
    let waiting = TrackRow::queued(&mail, &mail.track);
    store.commit(Acceptance { id: id.clone(), ..message(vec![mail]) }).await.unwrap();
    let claimed = store.claim_due(&owner(), noon(), minutes(10), 10).await.unwrap().remove(0);
    store.finish_attempt(attempt(&claimed, delivered())).await.unwrap();
    store.track(waiting.clone());
    store.track(waiting);
    store.write_tracks().await.unwrap();
    assert!(states(store, &id).await.iter().all(|(_, _, state)| *state == TrackState::Delivered));
}

pub async fn a_mailbox_and_old_mail_are_forgotten(store: &dyn Store) {
    for (minute, to) in [(1, "a@example.org"), (2, "b@example.org")] {
        let mut mail = NewItem { kind: QueueItemKind::Receipt, created: minutes(minute), ..item() };
        mail.envelope.recipients = vec![address(to).into()];
        store.commit(Acceptance { id: mail.id.clone(), ..message(vec![mail]) }).await.unwrap();
    }
    let count = async || store.find_tracks(all()).await.unwrap().len();
    assert_eq!(count().await, 2);
    assert_eq!(store.forget_tracks("a@example.org".into(), None).await.unwrap(), 1);
    assert_eq!((store.forget_tracks("a@example.org".into(), None).await.unwrap(), count().await), (0, 1));
    let before = Forget { threads: noon(), audit: None, now: noon(), tracking: minutes(2) };
    while store.forget(before).await.unwrap() > 0 {}
    assert_eq!(count().await, 1);
    while store.forget(Forget { tracking: minutes(3), ..before }).await.unwrap() > 0 {}
    assert_eq!(count().await, 0);
}

pub async fn mail_is_found_by_its_organisation(store: &dyn Store) {
    let domains = ["noorderveen.nl", "zuid.nl", ""];
    for domain in domains {
        let organisation = organisation(domain).filter(|_| !domain.is_empty());
        store.commit(message(vec![NewItem { organisation, link: Some(no_link()), ..item() }])).await.unwrap();
    }
    let of = |domains: &[&str], nameless| {
        Some(OrganisationFilter {
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            nameless,
        })
    };
    let count = async |organisation| {
        let query = TrackQuery { organisation, ..TrackQuery::all(10) };
        store.find_tracks(query).await.unwrap().len()
    };
    assert_eq!(count(None).await, 3);
    assert_eq!(count(of(&["noorderveen.nl"], false)).await, 1);
    assert_eq!(
        count(of(&["zuiderveen.nl", "zuid.nl"], true)).await,
        2,
        "its other domain, and rows of before"
    );
    assert_eq!(count(of(&["westerveen.nl"], false)).await, 0);
    assert_eq!(store.forget_tracks("a@example.org".into(), of(&["zuid.nl"], false)).await.unwrap(), 1);
    assert_eq!((count(None).await, count(of(&["zuid.nl"], false)).await), (3, 1), "each was to two");
    assert_eq!(store.forget_tracks("a@example.org".into(), None).await.unwrap(), 2);
}

fn no_link() -> Link {
    Link { transfer: TransferId::random(), recipient: 1 }
}
