//! What every [`DraftStore`] must do.

use std::time::Duration;

use super::sample::*;
use crate::clock::later;
use crate::id::Link;
use crate::store::*;

/// C17
pub async fn a_draft_is_its_authors_only(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(find(store, &author).await, None);
    store.save_draft(author.clone(), b"one".to_vec(), None, noon()).await.unwrap();
    store.save_draft(author.clone(), b"two".to_vec(), Some(b"one".to_vec()), noon()).await.unwrap();
    let (id, added) = begin(store, &author, Some(10)).await;
    assert_eq!(added, UploadOutcome::Kept(0));
    let draft = find(store, &author).await.unwrap();
    assert_eq!((draft.typed.as_deref(), draft.revision), (Some(&b"two"[..]), 3));
    assert_eq!((&draft.uploads[0].id, &draft.uploads[0].facts[..]), (&id, &b"facts"[..]));

    assert_eq!(find(store, &other).await, None);
    let beside = Author { link: Link { recipient: 2, ..author.link.clone() }, ..author.clone() };
    assert_eq!(find(store, &beside).await, None);
    assert_eq!(add(store, &other, &id, 0, 5).await, UploadOutcome::Unknown);
    assert!(!store.remove_upload(other.clone(), id.clone(), noon(), None).await.unwrap());
    assert!(!store.mark_scanned(other, id, noon()).await.unwrap());
}

/// Two windows: what one has kept meanwhile is not overwritten unseen.
pub async fn a_draft_is_replaced_as_it_was_read(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let save = |typed: &'static [u8], former: Option<&'static [u8]>| {
        store.save_draft(author.clone(), typed.to_vec(), former.map(<[u8]>::to_vec), noon())
    };
    save(b"one", None).await.unwrap();
    for former in [None, Some(&b"zero"[..])] {
        assert!(matches!(save(b"two", former).await, Err(StoreError::Changed)));
    }
    // Files are no change of what was typed.
    begin(store, &author, Some(10)).await;
    save(b"two", Some(b"one")).await.unwrap();
    assert_eq!(find(store, &author).await.unwrap().typed.as_deref(), Some(&b"two"[..]));
}

/// C25
pub async fn a_closed_link_takes_nothing(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let late = hours(24 * 30);
    assert!(matches!(store.save_draft(author.clone(), Vec::new(), None, late).await, Err(StoreError::Gone)));
    let unknown = Author { link: Link { recipient: 9, ..author.link.clone() }, ..author };
    assert!(matches!(store.save_draft(unknown, Vec::new(), None, noon()).await, Err(StoreError::Gone)));
}

/// H42: a client without a cookie makes a draft each time; one that has proved an address keeps its draft.
pub async fn drafts_of_a_link_are_bounded(store: &dyn Store) {
    let [author, _] = authors(store).await;
    ask(store, &author, 1, noon()).await;
    try_code(store, &author, 7, noon()).await;
    let with = |browser: u16| {
        let mut hash = [9; 32];
        hash[..2].copy_from_slice(&browser.to_be_bytes());
        Author { link: author.link.clone(), browser: hash }
    };
    store.save_draft(author.clone(), b"proved".to_vec(), None, noon()).await.unwrap();
    for browser in 0..600 {
        let now = later(noon(), Duration::from_secs(browser.into()));
        store.save_draft(with(browser), b"typed".to_vec(), None, now).await.unwrap();
    }
    let mut left = Vec::new();
    for browser in 0..600 {
        left.extend(find(store, &with(browser)).await.map(|_| browser));
    }
    assert_eq!(left, (581..600).collect::<Vec<_>>(), "the last ones");
    assert!(find(store, &author).await.is_some(), "and the one that was proved");
}

pub async fn an_answer_ends_the_draft_it_was_read_from(store: &dyn Store) {
    let [author, other] = authors(store).await;
    store.save_draft(author.clone(), b"one".to_vec(), None, noon()).await.unwrap();
    store.save_draft(author.clone(), b"two".to_vec(), Some(b"one".to_vec()), noon()).await.unwrap();
    let stale = store.commit(ended(&author, 1, noon())).await;
    assert!(matches!(stale, Err(StoreError::Changed)), "{stale:?}");
    assert!(store.queue().await.unwrap().is_empty() && !store.is_sealed_thread(vec![[9; 32]]).await.unwrap());

    store.commit(ended(&author, 2, noon())).await.unwrap();
    assert!(find(store, &author).await.is_none());
    assert!(store.is_sealed_thread(vec![[9; 32]]).await.unwrap());
    let twice = store.commit(ended(&author, 2, noon())).await;
    assert!(matches!(twice, Err(StoreError::Changed)), "{twice:?}");
    assert_eq!(store.queue().await.unwrap().len(), 1);
    let before = noon().saturating_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(store.last_reply(author.clone(), before).await.unwrap().as_deref(), Some(&b"summary"[..]));
    assert_eq!(store.last_reply(author, noon()).await.unwrap(), None);
    assert_eq!(store.last_reply(other, before).await.unwrap(), None);
}

/// H18
pub async fn answers_are_counted_by_the_day(store: &dyn Store) {
    let [author, other] = authors(store).await;
    for (author, time) in [(&author, noon()), (&other, hours(1))] {
        store.save_draft(author.clone(), Vec::new(), None, time).await.unwrap();
        store.commit(ended(author, 1, time)).await.unwrap();
    }
    store.save_draft(author.clone(), Vec::new(), None, hours(2)).await.unwrap();
    let third = store.commit(ended(&author, 1, hours(2))).await;
    assert!(matches!(third, Err(StoreError::TooMany(until)) if until == hours(24)), "{third:?}");
    assert!(find(store, &author).await.is_some(), "what was written is kept");
    store.commit(ended(&author, 1, hours(24))).await.unwrap();
}
