//! What every [`GaugeStore`] must do.

use super::sample::*;
use crate::audit::Action;
use crate::clock::days_later;
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
    store.append_audit(event(Action::Configuration)).await.unwrap();
    store.expire(days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    let after = store.gauges(minutes(15)).await.unwrap();
    assert_eq!((after.transfers, after.locked_links), (0, 0));
}
