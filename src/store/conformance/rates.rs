//! What every [`RateStore`] must do.

use std::time::Duration;

use futures_util::future::join_all;

use super::sample::*;
use crate::clock::later;
use crate::limits::Rate;
use crate::store::*;

pub async fn a_rate_holds_for_parallel_callers(store: &dyn Store) {
    let rate = Rate::per(3, Duration::from_secs(30));
    let take = |bucket: &str, now| store.check_rate(bucket.to_owned(), rate, now);
    let taken = join_all((0..20).map(|_| take("client 192.0.2.1", noon()))).await;
    let again: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    let soon = later(noon(), Duration::from_secs(10));
    assert_eq!(again, vec![soon; 17]);
    assert_eq!(take("client 192.0.2.2", noon()).await.unwrap(), None);
    assert_eq!(take("client 192.0.2.1", soon).await.unwrap(), None);
    assert!(take("client 192.0.2.1", soon).await.unwrap().is_some());
    // Buckets that are full again are forgotten on the way; that changes nothing.
    store.expire(Whose::everybody(), soon, soon).await.unwrap();
    assert!(take("client 192.0.2.1", soon).await.unwrap().is_some());
    store.expire(Whose::everybody(), minutes(5), minutes(5)).await.unwrap();
    assert_eq!(take("client 192.0.2.1", minutes(5)).await.unwrap(), None);
}
