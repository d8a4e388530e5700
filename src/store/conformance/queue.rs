//! What every [`QueueStore`] must do.

use futures_util::future::join_all;

use super::sample::*;
use crate::address::ReversePath;
use crate::audit::Action;
use crate::diagnostic::{Diagnostic, EnhancedCode, Outcome, Stage};
use crate::envelope::{BodyType, Envelope, MailParameters, Notify, RcptParameters, Ret};
use crate::id::{BlobName, FolderId, Link, OrganisationId, TransferId};
use crate::store::*;

pub async fn a_message_comes_back_as_it_went_in(store: &dyn Store) {
    let notify = Notify { success: true, failure: false, delay: true };
    let mut first = item();
    first.kind = QueueItemKind::Notification;
    first.link = Some(Link { transfer: TransferId::random(), recipient: 7 });
    first.envelope.parameters = MailParameters {
        body: Some(BodyType::EightBitMime),
        smtputf8: true,
        size: Some(u64::MAX),
        ret: Some(Ret::Headers),
        envid: Some("QQ+2B314159".into()),
    };
    first.envelope.recipients[1].parameters =
        RcptParameters { notify: Some(notify), orcpt: Some("rfc822;b+2Bx@example.org".into()) };
    let mut second = item();
    second.created = minutes(1);
    second.envelope.reverse_path = ReversePath::Null;
    second.envelope.recipients = vec![address("jürgen@voorbeeld.nl").into()];
    second.body = in_blob(BlobName::random());
    (first.organisation, second.organisation) = (None, Some(OrganisationId::of_domain("zuiderveen.nl")));

    let expected = [&first, &second]
        .map(|item| format!("{:?} {:?} {:?} {:?}", item.envelope, item.body, item.link, item.organisation));
    let ids = [first.id.clone(), second.id.clone()];
    let acceptance = message(vec![first, second]);
    let id = acceptance.id.clone();
    assert_eq!(store.commit(acceptance).await.unwrap().to_string(), id.as_str());

    let mut items = store.claim_due(&owner(), minutes(1), minutes(10), 10).await.unwrap();
    // They are of two organisations, each of which has its turn.
    items.sort_by_key(|item| item.created);
    let found = items.iter().map(|item| {
        let numbers: Vec<_> = item.recipients.iter().map(|pending| pending.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
        let recipients = item.recipients.iter().map(|pending| pending.recipient.clone()).collect();
        let (reverse_path, parameters) = (item.reverse_path.clone(), item.parameters.clone());
        let envelope = Envelope { reverse_path, parameters, recipients };
        format!("{envelope:?} {:?} {:?} {:?}", item.body, item.link, item.organisation)
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(items.iter().map(|item| item.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(
        (items[0].kind, items[0].created, items[0].attempts),
        (QueueItemKind::Notification, noon(), 0)
    );
    assert_eq!((items[1].kind, items[1].created), (QueueItemKind::Message, minutes(1)));
}

pub async fn an_item_is_claimed_by_one(store: &dyn Store) {
    store.commit(message((0..20).map(|_| item()).collect())).await.unwrap();
    let owner = owner();
    let claims = join_all((0..10).map(|_| store.claim_due(&owner, noon(), minutes(10), 3))).await;
    let mut ids: Vec<_> = claims.into_iter().flat_map(Result::unwrap).map(|item| item.id).collect();
    assert_eq!(ids.len(), 20);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub async fn a_claim_runs_out(store: &dyn Store) {
    let first = claimed(store, item()).await;
    assert!(store.claim_due(&owner(), minutes(9), minutes(20), 10).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(10)));
    let again = store.claim_due(&owner(), minutes(10), minutes(20), 10).await.unwrap();
    assert_eq!(again[0].id, first.id);
    assert_eq!(again[0].attempts, 0);
    // The outcome of the first attempt may have waited for the disk: the owner has taken up its own claim again (H02).
    let end = Attempt { now: minutes(11), ..attempt(&first, delivered()) };
    assert_eq!(store.finish_attempt(end).await.unwrap(), AttemptEnd::Recorded);
    assert!(store.queue().await.unwrap().is_empty());
}

pub async fn claims_are_released_at_start(store: &dyn Store) {
    let first = claimed(store, item()).await;
    store.release_claims(&FolderId::random()).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(10)), "what another gateway holds it keeps");
    store.release_claims(&owner()).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(noon()));
    assert_eq!(store.claim_due(&owner(), noon(), minutes(10), 10).await.unwrap()[0].id, first.id);
}

/// The claim ran out, and another gateway has the item: what the first one says of it changes nothing.
pub async fn a_late_end_changes_nothing(store: &dyn Store) {
    let first = claimed(store, item()).await;
    let other = FolderId::random();
    let second = store.claim_due(&other, minutes(10), minutes(20), 10).await.unwrap().remove(0);
    assert!(second.claim.token > first.claim.token);
    let late = Attempt { now: minutes(11), reports: vec![item()], ..attempt(&first, delivered()) };
    assert_eq!(store.finish_attempt(late.clone()).await.unwrap(), AttemptEnd::ClaimLost);
    let entry = store.queue().await.unwrap().remove(0);
    assert_eq!((entry.attempts, entry.recipients[0].state), (0, RecipientState::Waiting));
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(20)), "it is still claimed");
    let end = Attempt { now: minutes(12), ..attempt(&second, delivered()) };
    assert_eq!(store.finish_attempt(end).await.unwrap(), AttemptEnd::Recorded);
    assert!(store.queue().await.unwrap().is_empty());
    assert_eq!(store.finish_attempt(late).await.unwrap(), AttemptEnd::ClaimLost, "nor when it is gone");
    assert!(store.queue().await.unwrap().is_empty(), "no report");
}

/// A gateway that was started again has forgotten what it held; what still comes of it is late.
pub async fn a_released_claim_ends_nothing(store: &dyn Store) {
    let first = claimed(store, item()).await;
    store.release_claims(&owner()).await.unwrap();
    assert_eq!(store.finish_attempt(attempt(&first, delivered())).await.unwrap(), AttemptEnd::ClaimLost);
    assert_eq!(store.queue().await.unwrap().len(), 1);
}

pub async fn the_oldest_goes_first_and_no_more_than_asked(store: &dyn Store) {
    assert_eq!(store.next_due().await.unwrap(), None);
    for minute in [3, 1, 4, 2, 9] {
        store.commit(message(vec![NewItem { created: minutes(minute), ..item() }])).await.unwrap();
    }
    let created = |items: Vec<Item>| items.iter().map(|item| item.created).collect::<Vec<_>>();
    let first = store.claim_due(&owner(), minutes(5), minutes(60), 3).await.unwrap();
    assert_eq!(created(first), [1, 2, 3].map(minutes));
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(4)));
    assert_eq!(created(store.claim_due(&owner(), minutes(5), minutes(60), 3).await.unwrap()), [minutes(4)]);
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(9)));
}

pub async fn an_attempt_is_recorded_per_recipient(store: &dyn Store) {
    let first = claimed(store, item()).await;
    let why = said(451, "4.3.0 later");
    let outcomes = vec![(1, Outcome::Delivered), (2, Outcome::Deferred(why.clone()))];
    store.finish_attempt(attempt(&first, outcomes)).await.unwrap();

    let entry = &store.queue().await.unwrap()[0];
    let states: Vec<_> = entry.recipients.iter().map(|one| (one.state, one.diagnostic.clone())).collect();
    assert_eq!(states, [(RecipientState::Delivered, None), (RecipientState::Waiting, Some(why))]);
    assert!(store.claim_due(&owner(), minutes(4), minutes(10), 10).await.unwrap().is_empty());
    let again = store.claim_due(&owner(), minutes(5), minutes(10), 10).await.unwrap().remove(0);
    assert_eq!(again.attempts, 1);
    assert_eq!(again.recipients.iter().map(|pending| pending.number).collect::<Vec<_>>(), [2]);
    assert_eq!(again.body, first.body);

    // A delivered recipient stays so, whatever a late answer says.
    let failed = |number| (number, Outcome::Failed(said(550, "5.1.1 no")));
    store.finish_attempt(attempt(&again, vec![failed(1)])).await.unwrap();
    assert_eq!(store.queue().await.unwrap()[0].recipients[0].state, RecipientState::Delivered);
    let last = store.claim_due(&owner(), minutes(60), minutes(70), 10).await.unwrap().remove(0);
    store.finish_attempt(attempt(&last, vec![failed(2)])).await.unwrap();
    assert!(store.queue().await.unwrap().is_empty());
}

pub async fn a_finished_item_goes_with_its_blob(store: &dyn Store) {
    let blob = BlobName::random();
    let first = claimed(store, NewItem { body: in_blob(blob.clone()), ..item() }).await;
    store.finish_attempt(attempt(&first, vec![(1, Outcome::Delivered)])).await.unwrap();
    assert!(store.pending_deletion(10).await.unwrap().is_empty());
    let again = store.claim_due(&owner(), minutes(5), minutes(10), 10).await.unwrap().remove(0);
    store.finish_attempt(attempt(&again, vec![(2, Outcome::Delivered)])).await.unwrap();
    assert!(store.queue().await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.pending_deletion(10).await.unwrap(), [blob]);
}

pub async fn a_report_is_queued_with_the_failure(store: &dyn Store) {
    let first = claimed(store, item()).await;
    let report = NewItem { kind: QueueItemKind::Report, ..item() };
    let id = report.id.clone();
    let mut finished = attempt(&first, delivered());
    finished.reports = vec![report];
    store.finish_attempt(finished).await.unwrap();
    let entries = store.queue().await.unwrap();
    assert_eq!((entries.len(), entries[0].kind, &entries[0].id), (1, QueueItemKind::Report, &id));
    assert_eq!(store.claim_due(&owner(), noon(), minutes(10), 10).await.unwrap()[0].id, id);

    // A report that cannot be queued leaves the attempt unrecorded: nothing is lost.
    let second = claimed(store, item()).await;
    let mut refused = attempt(&second, delivered());
    refused.reports = vec![NewItem { id, ..item() }];
    assert!(store.finish_attempt(refused).await.is_err());
    assert_eq!(store.queue().await.unwrap().len(), 2);
}

pub async fn an_attempt_on_a_dropped_item_is_no_error(store: &dyn Store) {
    let first = claimed(store, item()).await;
    assert!(store.drop_item(first.id.clone(), event(Action::Drop)).await.unwrap().is_change());
    store.finish_attempt(attempt(&first, delivered())).await.unwrap();
    assert!(store.queue().await.unwrap().is_empty());
}

/// What waits for a next hop goes on when it is back; what was refused by one that works keeps its own time, and so does what
/// is frozen or claimed.
pub async fn what_was_not_reached_is_made_due(store: &dyn Store) {
    let local = |stage, text| Diagnostic::local(stage, EnhancedCode::new(4, 4, 1), text);
    let waits = [
        local(Some(Stage::Connect), "no connection"),
        Diagnostic::remote(Stage::Greeting, 421, "not now"),
        local(Some(Stage::Done), "the connection was closed"),
        Diagnostic::remote(Stage::Auth, 535, "5.7.8 wrong"),
    ];
    let stays =
        [Diagnostic::remote(Stage::Recipient, 450, "4.2.0 greylisted"), local(None, "it cannot be read")];
    let deferred = async |why: &Diagnostic, problem| {
        let first = claimed(store, item()).await;
        let outcomes = vec![(1, Outcome::Deferred(why.clone())), (2, Outcome::Delivered)];
        store.finish_attempt(Attempt { problem, ..attempt(&first, outcomes) }).await.unwrap();
        first.id
    };
    let mut expected = Vec::new();
    for why in &waits {
        expected.push(deferred(why, None).await);
    }
    for why in &stays {
        deferred(why, None).await;
    }
    deferred(&waits[0], Some(Problem::Frozen)).await;
    claimed(store, item()).await;

    assert!(store.claim_due(&owner(), minutes(2), minutes(9), 20).await.unwrap().is_empty());
    assert_eq!(store.make_unreached_due(minutes(2)).await.unwrap(), 4);
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(2)));
    let due = store.claim_due(&owner(), minutes(2), minutes(9), 20).await.unwrap();
    let mut found: Vec<_> = due.into_iter().map(|item| item.id).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(store.make_unreached_due(minutes(2)).await.unwrap(), 0);
}

/// Five thousand mails of one organisation, then one of another's, and one from before there were several.
pub async fn a_flood_of_one_organisation_delays_the_others_by_little(store: &dyn Store) {
    let of = |domain: &str, created| NewItem { organisation: organisation(domain), created, ..item() };
    for _ in 0..50 {
        store.commit(message((0..100).map(|_| of("noorderveen.nl", noon())).collect())).await.unwrap();
    }
    let mut flood: Vec<_> = store.claim_due(&owner(), minutes(1), minutes(90), 3).await.unwrap();
    assert_eq!(flood.len(), 3, "one alone has all of it");
    let late = [of("zuiderveen.nl", minutes(2)), NewItem { organisation: None, ..of("", minutes(2)) }];
    let names = late.each_ref().map(|item| item.id.clone());
    store.commit(message(late.to_vec())).await.unwrap();
    // One connection at a time, as when all others are in use.
    let mut next = Vec::new();
    for _ in 0..3 {
        next.extend(store.claim_due(&owner(), minutes(3), minutes(90), 1).await.unwrap());
    }
    let found: Vec<_> = next.iter().map(|item| item.id.clone()).collect();
    assert!(names.iter().all(|name| found.contains(name)), "they are among the next three");
    assert_eq!(next.iter().filter(|item| item.organisation == organisation("noorderveen.nl")).count(), 1);
    flood.extend(store.claim_due(&owner(), minutes(3), minutes(90), 10_000).await.unwrap());
    assert_eq!(flood.len() + 1, 5000, "and nothing is passed over");
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(90)));
}

pub async fn no_organisation_gets_more_than_its_share(store: &dyn Store) {
    let domains = ["noorderveen.nl", "zuiderveen.nl", "westerveen.nl"];
    for domain in domains {
        let of = |_| NewItem { organisation: organisation(domain), ..item() };
        store.commit(message((0..20).map(of).collect())).await.unwrap();
    }
    let claim = async |limit, shares: &ClaimShares| {
        let owner = owner();
        let claimed = store.claim_in_turn(&owner, minutes(1), minutes(90), limit, shares.clone());
        let claimed = claimed.await.unwrap();
        let count = |domain| claimed.iter().filter(|item| item.organisation == organisation(domain)).count();
        domains.map(count)
    };
    let shares =
        ClaimShares::new(5, [(organisation("zuiderveen.nl"), 1), (organisation("westerveen.nl"), 0)].into());
    assert_eq!(claim(30, &shares).await, [5, 1, 0]);
    assert_eq!(claim(3, &ClaimShares::new(usize::MAX, Default::default())).await, [1, 1, 1]);
    assert_eq!(
        claim(30, &ClaimShares::new(0, [(organisation("noorderveen.nl"), 2)].into())).await,
        [2, 0, 0]
    );
    assert_eq!(claim(100, &ClaimShares::unbounded()).await, [12, 18, 19]);
}
