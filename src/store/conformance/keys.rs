//! What every [`MasterKeyStore`] must do.

use std::time::Duration;

use super::sample::*;
use super::verification::remember;
use crate::clock::{days_later, earlier, later};
use crate::id::BlobName;
use crate::store::*;

pub async fn what_needs_which_key_is_told(store: &dyn Store) {
    assert_eq!(store.links_in_use().await.unwrap(), []);
    assert_eq!(store.queued_bodies(17).await.unwrap(), []);
    let (of_third, mut of_second, mut longer) = (transfer(), transfer(), transfer());
    of_second.generation = 2;
    longer.expires = days_later(noon(), 60);
    let (small, blob) = (item(), BlobName::random());
    let large = NewItem { body: in_blob(blob.clone()), ..item() };
    let gone = of_second.id.clone();
    store.commit(Acceptance { items: vec![small, large], ..sealed(of_third) }).await.unwrap();
    store.commit(sealed(of_second)).await.unwrap();
    store.commit(sealed(longer)).await.unwrap();
    let links =
        |generation, transfers, days| LinksInUse { generation, transfers, until: days_later(noon(), days) };
    assert_eq!(store.links_in_use().await.unwrap(), [links(2, 1, 30), links(3, 2, 60)]);
    assert_eq!(store.transfer(gone.clone()).await.unwrap().unwrap().generation, 2);
    let bodies = store.queued_bodies(6).await.unwrap();
    assert!(bodies.len() == 2 && bodies.contains(&BodyData::Inline(b"sealed".to_vec())), "{bodies:?}");
    assert!(bodies.contains(&BodyData::Blob(blob)), "{bodies:?}");
    let end = days_later(noon(), 40);
    store.expire(Whose::everybody(), end, end).await.unwrap();
    assert_eq!(store.links_in_use().await.unwrap(), [links(3, 1, 60)], "what cannot be opened needs no key");
}

/// It is remembered so long from the moment on at which it proved itself.
pub async fn browsers_are_counted_by_when_they_are_forgotten(store: &dyn Store) {
    let until = remember(store).await;
    let (before, after) = (earlier(until, Duration::from_secs(1)), later(until, Duration::from_secs(1)));
    let found = |now, until| store.remembered(now, until);
    let one = Remembered { browsers: 1, until: Some(until) };
    assert_eq!(found(noon(), until).await.unwrap(), one);
    assert_eq!(found(before, after).await.unwrap(), one);
    assert_eq!(found(noon(), before).await.unwrap(), Remembered::default(), "a later key remembers it");
    assert_eq!(found(until, after).await.unwrap(), Remembered::default(), "it is forgotten");
}
