//! What every [`DownloadStore`] must do.

use std::time::Duration;

use futures_util::future::join_all;

use super::sample::*;
use crate::audit::{Action, Event};
use crate::clock::{Timestamp, earlier, later};
use crate::id::Link;
use crate::store::*;

async fn download_events(store: &dyn Store, link: &Link) -> usize {
    let trail = store.audit_log(link.transfer.clone()).await.unwrap();
    trail.iter().filter(|entry| entry.action == Action::Download).count()
}

pub async fn downloads_are_counted_per_part(store: &dyn Store) {
    let (link, other) = (linked(store).await, linked(store).await);
    let second = Link { recipient: 2, ..link.clone() };
    for (id, link) in [(1, &link), (2, &second), (3, &other)] {
        open(store, session(id, link)).await.unwrap();
    }
    let at = |time| Event { time, ..event(Action::Download) };
    let fetch = |link: &Link, session, what: &str, parts: &[u32], minute| Fetch {
        what: what.into(),
        parts: parts.to_vec(),
        event: at(minutes(minute)),
        ..fetch_of(link, session)
    };
    store.note_download(fetch(&link, 1, "zip", &[1, 2], 1)).await.unwrap();
    store.note_download(fetch(&link, 1, "2", &[2], 5)).await.unwrap();
    store.note_download(fetch(&second, 2, "2", &[2], 2)).await.unwrap();
    store.note_download(fetch(&other, 3, "1", &[1], 3)).await.unwrap();
    let downloads = store.downloads(link.transfer).await.unwrap();
    let download = |recipient, part, first, last, count| Download {
        recipient,
        part,
        first: minutes(first),
        last: minutes(last),
        count,
        whole: true,
    };
    assert_eq!(downloads, [download(1, 1, 1, 1, 1), download(1, 2, 1, 5, 2), download(2, 2, 2, 2, 1)]);
}

/// C39: one in a session until there is a pause; and nothing for a session that has ended.
pub async fn a_download_is_one_however_often_it_is_asked_for(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    open(store, session(2, &link)).await.unwrap();
    let fetch = async |session: u8, minute: u64, whole: bool| {
        let fetch = fetch_of(&link, session);
        let event = Event { time: minutes(minute), ..fetch.event.clone() };
        store.note_download(Fetch { whole, event, ..fetch }).await
    };
    let noted = async |whole: bool, now: Timestamp| {
        store.is_download_noted([1; 32], "1".into(), whole, now).await.unwrap()
    };
    assert!(!noted(false, noon()).await);
    fetch(1, 0, false).await.unwrap();
    assert!(noted(false, later(noon(), Duration::from_secs(59))).await);
    assert!(!noted(false, minutes(1)).await, "the last time is known to the minute");
    assert!(!noted(true, noon()).await, "that is more than was noted");
    for (session, minute, count) in [(1, 9, 1), (1, 18, 1), (2, 18, 2), (1, 28, 3)] {
        fetch(session, minute, minute == 9).await.unwrap();
        let one = &store.downloads(link.transfer.clone()).await.unwrap()[0];
        assert_eq!((one.count, one.whole, one.last), (count, true, minutes(minute)), "{session} {minute}");
        assert_eq!(download_events(store, &link).await, count as usize, "{session} {minute}");
    }
    store.recall(recall(&link, Some(1))).await.unwrap();
    assert!(matches!(fetch(1, 29, true).await, Err(StoreError::Gone)));
    assert_eq!(store.downloads(link.transfer.clone()).await.unwrap()[0].last, minutes(28));
    assert!(!noted(false, minutes(28)).await);
}

/// C39: many sessions buy no endless rows; what is fetched for the first time is always an event.
pub async fn a_links_events_are_bounded_and_its_count_goes_on(store: &dyn Store) {
    let link = linked(store).await;
    for id in 1..=230 {
        open(store, session(id, &link)).await.unwrap();
        store.note_download(fetch_of(&link, id)).await.unwrap();
    }
    assert_eq!(download_events(store, &link).await, 201, "the first, and 200 more");
    let second = Fetch { what: "2".into(), parts: vec![2], ..fetch_of(&link, 230) };
    store.note_download(second).await.unwrap();
    assert_eq!(download_events(store, &link).await, 202, "this one is new");
    assert_eq!(store.downloads(link.transfer.clone()).await.unwrap()[0].count, 230);
}

pub async fn a_download_is_told_once_an_hour(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    let fetch = async |minute: u64, part: u32| {
        let event = Event { time: minutes(minute), ..event(Action::Download) };
        let notice = NewItem { created: minutes(minute), ..mail(None, QueueItemKind::Download) };
        let notice = Some((notice, earlier(minutes(minute), DAY / 24)));
        let (what, parts) = (part.to_string(), vec![part]);
        store.note_download(Fetch { event, notice, what, parts, ..fetch_of(&link, 1) }).await.unwrap();
        kinds(store).await.len()
    };
    let rest = async |minute: u64| store.due_downloads(earlier(minutes(minute), DAY / 24), 10).await.unwrap();
    assert_eq!(fetch(0, 1).await, 1);
    assert_eq!(fetch(70, 1).await, 1, "nothing new");
    assert!(rest(200).await.is_empty());
    assert_eq!(fetch(71, 2).await, 2);
    assert_eq!(fetch(72, 3).await, 2, "within the hour");
    assert!(rest(130).await.is_empty());
    assert_eq!(rest(131).await, std::slice::from_ref(&link));
    let follow_up = || {
        let notice = NewItem { created: minutes(131), ..mail(None, QueueItemKind::Download) };
        store.enqueue_follow_up(link.clone(), notice, minutes(71))
    };
    let both = join_all([follow_up(), follow_up()]).await;
    assert_eq!(both.into_iter().filter(|queued| *queued.as_ref().unwrap()).count(), 1);
    assert!(rest(1000).await.is_empty());
    assert_eq!(kinds(store).await.len(), 3);
}
