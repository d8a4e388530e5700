//! What every [`GaugeStore`] must do.

use super::sample::*;
use crate::audit::Action;
use crate::clock::days_later;
use crate::diagnostic::{Diagnostic, Outcome, Stage};
use crate::store::*;

pub async fn figures_tell_the_truth(store: &dyn Store) {
    let empty = store.gauges(noon()).await.unwrap();
    assert_eq!((empty.queued, empty.oldest_queued, empty.transfers, empty.locked_links), (0, None, 0, 0));
    let link = linked(store).await;
    linked(store).await;
    store.commit(message(vec![NewItem { created: minutes(1), ..item() }, item()])).await.unwrap();
    for _ in 0..5 {
        try_once(store, &link, noon()).await;
    }
    let now = store.gauges(noon()).await.unwrap();
    assert_eq!((now.queued, now.oldest_queued, now.transfers, now.locked_links), (2, Some(noon()), 2, 1));
    let due = |gauges: &Gauges| gauges.queue.iter().map(|of| (of.kind, of.items, of.due)).collect::<Vec<_>>();
    assert_eq!(due(&now), [(QueueItemKind::Message, 2, Some(noon()))]);
    store.append_audit(event(Action::Configuration)).await.unwrap();
    store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    let after = store.gauges(minutes(15)).await.unwrap();
    assert_eq!((after.transfers, after.locked_links), (0, 0));
}

/// One dead destination does not make the queue look late: what is tried again later waits on purpose, and so does what is
/// frozen.
pub async fn what_waits_on_purpose_is_not_late(store: &dyn Store) {
    let item = claimed(store, item()).await;
    let later = Diagnostic::remote(Stage::Recipient, 450, "4.2.0 no such host");
    let outcomes = vec![(1, Outcome::Deferred(later.clone())), (2, Outcome::Delivered)];
    store.finish_attempt(attempt(&item, outcomes.clone())).await.unwrap();
    let due = async || {
        let queue = store.gauges(minutes(2)).await.unwrap().queue;
        assert_eq!((queue.len(), queue[0].items), (1, 1));
        queue[0].due
    };
    assert_eq!(due().await, Some(minutes(5)));
    let again = store.claim_due(&owner(), minutes(5), minutes(10), 10).await.unwrap().remove(0);
    assert_eq!(due().await, Some(minutes(5)), "while it is being tried");
    let frozen = Attempt { problem: Some(Problem::Frozen), ..attempt(&again, outcomes[..1].to_vec()) };
    store.finish_attempt(frozen).await.unwrap();
    assert_eq!(due().await, None);
}

pub async fn figures_are_of_an_organisation(store: &dyn Store) {
    let of = |domain: &str| NewItem { organisation: organisation(domain), ..item() };
    store
        .commit(message(vec![of("noorderveen.nl"), of("noorderveen.nl"), of("zuiderveen.nl")]))
        .await
        .unwrap();
    store.commit(message(vec![NewItem { organisation: None, ..item() }])).await.unwrap();
    let gauges = store.gauges(noon()).await.unwrap();
    let mut queue: Vec<_> = gauges.queue.iter().map(|of| (of.organisation.clone(), of.items)).collect();
    queue.sort();
    let expected = [(None, 1), (organisation("noorderveen.nl"), 2), (organisation("zuiderveen.nl"), 1)];
    assert_eq!((queue, gauges.queued), (expected.to_vec(), 4));
    linked(store).await;
    let gauges = store.gauges(noon()).await.unwrap();
    assert_eq!((gauges.transfers, gauges.transfers_of), (1, vec![(Some(transfer().organisation), 1)]));
}
