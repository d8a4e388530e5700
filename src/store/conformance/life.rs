//! What every store must do with what happens to transfers by themselves.

use super::*;
use crate::clock::earlier;
use crate::store::{Forget, Occasion, Reminders, Turn};

const DAY: Duration = Duration::from_secs(86_400);

fn days(count: u32) -> Timestamp {
    days_later(noon(), count)
}

fn mail(link: Option<&Link>, kind: Kind) -> NewItem {
    NewItem { kind, link: link.cloned(), ..item() }
}

/// Reminders for both recipients, and a warning.
fn reminders(link: &Link, occasion: Occasion) -> Reminders {
    let to = |recipient| mail(Some(&Link { recipient, ..link.clone() }), Kind::Reminder);
    Reminders {
        transfer: link.transfer.clone(),
        occasion,
        expires: days(30),
        now: noon(),
        to_recipients: vec![to(1), to(2)],
        to_sender: (occasion == Occasion::LastDays).then(|| mail(None, Kind::Unopened)),
    }
}

async fn due(store: &dyn Store, now: Timestamp) -> Vec<Occasion> {
    let due = store.due_reminders(now, later(now, 2 * DAY), earlier(now, DAY), 10).await.unwrap();
    due.into_iter().map(|due| due.occasion).collect()
}

async fn kinds(store: &dyn Store) -> Vec<&'static str> {
    store.queue().await.unwrap().into_iter().map(|entry| entry.kind).collect()
}

/// H34
pub async fn a_leap_of_the_clock_is_believed_after_an_hour(store: &dyn Store) {
    assert_eq!(store.begin_turn(noon()).await.unwrap(), Turn::Go);
    assert_eq!(store.begin_turn(later(noon(), DAY)).await.unwrap(), Turn::Go);
    let leap = days(4000);
    let hold = Turn::Hold { trusted: later(noon(), DAY), until: later(leap, DAY / 24) };
    assert_eq!(store.begin_turn(leap).await.unwrap(), hold);
    assert_eq!(store.begin_turn(later(leap, DAY / 48)).await.unwrap(), hold);
    assert_eq!(store.begin_turn(later(leap, DAY / 24)).await.unwrap(), Turn::Go);
    assert_eq!(store.begin_turn(noon()).await.unwrap(), Turn::Go, "nothing is early by a step back");
}

pub async fn reminders_are_due_at_half_time_and_in_the_last_days(store: &dyn Store) {
    let link = linked(store).await;
    assert!(due(store, earlier(days(15), Duration::from_micros(1))).await.is_empty());
    assert_eq!(due(store, days(15)).await, [Occasion::HalfTime]);
    let first = Reminders { now: days(15), ..reminders(&link, Occasion::HalfTime) };
    assert_eq!(store.remind(first).await.unwrap(), 2);
    assert!(due(store, days(27)).await.is_empty());
    assert_eq!(due(store, days(28)).await, [Occasion::LastDays]);
    assert!(due(store, days(30)).await.is_empty(), "it is over");
    let last = Reminders { now: days(28), ..reminders(&link, Occasion::LastDays) };
    assert_eq!(store.remind(last).await.unwrap(), 3);
    assert!(due(store, days(29)).await.is_empty());
    assert_eq!(kinds(store).await, ["reminder", "reminder", "reminder", "reminder", "unopened"]);

    // Another date: once more, but not on the heels of the last.
    let event = event(Action::Extend);
    let extension = Extension { transfer: link.transfer, expires: days(31), closed: noon(), event };
    assert!(store.extend(extension).await.unwrap());
    assert!(due(store, earlier(days(29), Duration::from_secs(1))).await.is_empty());
    assert_eq!(due(store, days(29)).await, [Occasion::LastDays]);
}

pub async fn reminders_are_queued_once(store: &dyn Store) {
    let link = linked(store).await;
    let both = [reminders(&link, Occasion::HalfTime), reminders(&link, Occasion::HalfTime)];
    let queued = join_all(both.map(|one| store.remind(one))).await;
    assert_eq!(queued.into_iter().map(|queued| queued.unwrap()).sum::<usize>(), 2);
    let stale = Reminders { expires: days(29), ..reminders(&link, Occasion::LastDays) };
    assert_eq!(store.remind(stale).await.unwrap(), 0, "written for another date");
}

pub async fn who_opened_meanwhile_is_not_reminded(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    assert_eq!(store.remind(reminders(&link, Occasion::HalfTime)).await.unwrap(), 1);
    open(store, session(2, &Link { recipient: 2, ..link.clone() })).await.unwrap();
    assert_eq!(store.remind(reminders(&link, Occasion::LastDays)).await.unwrap(), 0, "no warning either");
    assert!(due(store, days(28)).await.is_empty());
    let over = linked(store).await;
    store.expire(days(30), days(30)).await.unwrap();
    assert_eq!(store.remind(reminders(&over, Occasion::HalfTime)).await.unwrap(), 0);
}

pub async fn a_download_is_told_once_an_hour(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    let fetch = async |minute: u64, part: u32| {
        let event = Event { time: minutes(minute), ..event(Action::Download) };
        let notice = NewItem { created: minutes(minute), ..mail(None, Kind::Download) };
        let notice = Some((notice, earlier(minutes(minute), DAY / 24)));
        let (what, parts) = (part.to_string(), vec![part]);
        store.downloaded(Fetch { event, notice, what, parts, ..fetch_of(&link, 1) }).await.unwrap();
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
        let notice = NewItem { created: minutes(131), ..mail(None, Kind::Download) };
        store.follow_up(link.clone(), notice, minutes(71))
    };
    let both = join_all([follow_up(), follow_up()]).await;
    assert_eq!(both.into_iter().filter(|queued| *queued.as_ref().unwrap()).count(), 1);
    assert!(rest(1000).await.is_empty());
    assert_eq!(kinds(store).await.len(), 3);
}

pub async fn what_had_its_time_is_forgotten(store: &dyn Store) {
    let ended = NewTransfer { thread: vec![[1; 32]], ..transfer() };
    let kept = NewTransfer { expires: days(31), thread: vec![[2; 32]], ..transfer() };
    let (id, kept_id) = (ended.id.clone(), kept.id.clone());
    store.commit(sealed(ended)).await.unwrap();
    store.commit(sealed(kept)).await.unwrap();
    let link = Link { transfer: id.clone(), recipient: 1 };
    open(store, session(1, &link)).await.unwrap();
    store.downloaded(fetch_of(&link, 1)).await.unwrap();
    store.expire(days(30), days(30)).await.unwrap();

    let forget = async |transfers: Timestamp, threads: Timestamp, audit: Option<Timestamp>| {
        let before = Forget { transfers, threads, audit };
        while store.forget(before).await.unwrap() > 0 {}
        store.transfer(id.clone()).await.unwrap().is_some()
    };
    assert!(forget(earlier(days(30), Duration::from_micros(1)), noon(), None).await);
    assert!(!forget(days(30), noon(), None).await);
    assert!(store.transfer(kept_id).await.unwrap().is_some());
    assert!(store.is_sealed_thread(vec![[1; 32]]).await.unwrap());
    assert!(!store.trail(id.clone()).await.unwrap().is_empty(), "what happened stays");
    forget(days(30), minutes(1), Some(days(31))).await;
    assert!(!store.is_sealed_thread(vec![[1; 32]]).await.unwrap());
    assert!(store.trail(id.clone()).await.unwrap().is_empty());
}

pub async fn a_thread_lives_from_its_last_message(store: &dyn Store) {
    let known = |hash| store.is_sealed_thread(vec![hash]);
    for created in [minutes(5), noon()] {
        let transfer = NewTransfer { created, thread: vec![[1; 32]], ..transfer() };
        store.commit(sealed(transfer)).await.unwrap();
    }
    let answer = NewTransfer {
        created: minutes(7),
        thread: vec![[3; 32]],
        answers: vec![[2; 32], [4; 32]],
        ..transfer()
    };
    let answered = NewTransfer { thread: vec![[2; 32]], ..transfer() };
    store.commit(sealed(answered)).await.unwrap();
    store.commit(sealed(answer)).await.unwrap();
    let before = Forget { transfers: noon(), threads: minutes(5), audit: None };
    store.forget(before).await.unwrap();
    assert!(known([1; 32]).await.unwrap());
    store.forget(Forget { threads: minutes(6), ..before }).await.unwrap();
    assert!(!known([1; 32]).await.unwrap());
    assert!(known([2; 32]).await.unwrap() && known([3; 32]).await.unwrap(), "an answer keeps it alive");
    assert!(!known([4; 32]).await.unwrap(), "and begins none");
}
