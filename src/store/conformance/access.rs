//! What every [`AccessStore`] must do.

use std::time::Duration;

use futures_util::future::join_all;

use super::sample::*;
use crate::audit::Action;
use crate::clock::{days_later, later};
use crate::id::{Link, TransferId};
use crate::store::*;

/// C16: no number of parallel tries gets around the limit.
pub async fn tries_are_counted_before_they_are_made(store: &dyn Store) {
    let link = linked(store).await;
    let tries = join_all((0..50).map(|_| try_once(store, &link, noon()))).await;
    let lock = minutes(15);
    let allowed: Vec<_> = tries.iter().filter(|t| matches!(t, Try::Allowed { .. })).collect();
    assert_eq!(allowed.len(), 5);
    assert_eq!(
        allowed
            .iter()
            .filter(|t| matches!(t, Try::Allowed { locked: Some(until) } if *until == lock))
            .count(),
        1
    );
    assert_eq!(tries.iter().filter(|t| matches!(t, Try::Locked(until) if *until == lock)).count(), 45);

    let other = Link { recipient: 2, ..link.clone() };
    assert!(matches!(try_once(store, &other, noon()).await, Try::Allowed { locked: None }));
    for unknown in [Link { recipient: 3, ..link }, Link { transfer: TransferId::random(), recipient: 1 }] {
        assert!(matches!(try_once(store, &unknown, noon()).await, Try::Unknown));
    }
}

/// A try that was counted and not made counts no more; what was counted beside it does.
pub async fn a_withdrawn_try_leaves_no_trace(store: &dyn Store) {
    let link = linked(store).await;
    for _ in 0..4 {
        try_once(store, &link, noon()).await;
    }
    let Try::Allowed { locked } = try_once(store, &link, noon()).await else { panic!("it is the fifth") };
    assert_eq!(locked, Some(minutes(15)));
    store.withdraw_try(link.clone(), None).await.unwrap();
    assert_eq!(recipient(store, &link).await.locked_until, locked, "the lock of another try stays");
    store.withdraw_try(link.clone(), locked).await.unwrap();
    let left = recipient(store, &link).await;
    assert_eq!((left.tries, left.locked_until), (4, None));
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { locked: Some(_) }));

    let other = Link { recipient: 2, ..link };
    store.withdraw_try(other.clone(), None).await.unwrap();
    assert_eq!(recipient(store, &other).await.tries, 0, "there was none");
}

pub async fn every_lock_is_longer(store: &dyn Store) {
    let link = linked(store).await;
    let mut now = noon();
    for lock in [15, 30, 60] {
        let until = later(now, Duration::from_secs(60 * lock));
        for _ in 0..4 {
            assert!(matches!(try_once(store, &link, now).await, Try::Allowed { locked: None }));
        }
        assert!(
            matches!(try_once(store, &link, now).await, Try::Allowed { locked: Some(at) } if at == until)
        );
        assert!(matches!(try_once(store, &link, now).await, Try::Locked(at) if at == until));
        let recipient = store.transfer(link.transfer.clone()).await.unwrap().unwrap().recipients.remove(0);
        assert_eq!(recipient.locked_until, Some(until));
        now = until;
    }
}

pub async fn a_right_password_forgets_the_tries(store: &dyn Store) {
    let link = linked(store).await;
    for _ in 0..5 {
        try_once(store, &link, noon()).await;
    }
    store.open(session(1, &link), event(Action::Open)).await.unwrap();
    let recipients = store.transfer(link.transfer.clone()).await.unwrap().unwrap().recipients;
    assert_eq!((recipients[0].tries, recipients[0].locked_until), (0, None));
    assert_eq!(
        (recipients[0].opened, recipients[1].opened),
        (None, None),
        "nobody has come with the session"
    );
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { locked: None }));
}

pub async fn an_opening_is_noted_with_the_first_use_of_a_session(store: &dyn Store) {
    let link = linked(store).await;
    store.open(session(1, &link), event(Action::Open)).await.unwrap();
    store.note_opened(link.clone(), minutes(1)).await.unwrap();
    store.note_opened(link.clone(), minutes(3)).await.unwrap();
    let recipients = store.transfer(link.transfer.clone()).await.unwrap().unwrap().recipients;
    assert_eq!((recipients[0].opened, recipients[1].opened), (Some(minutes(1)), None));

    let unknown = Link { recipient: 9, ..link };
    assert!(matches!(store.note_opened(unknown, noon()).await, Err(StoreError::Gone)));
}

/// What a session is for can be asked without keeping it alive.
pub async fn a_look_at_a_session_is_no_use(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    assert_eq!(store.session_link([1; 32], noon()).await.unwrap(), Some(link));
    assert_eq!(store.session_link([1; 32], minutes(1)).await.unwrap(), None, "idle since then");
    assert_eq!(store.session_link([2; 32], noon()).await.unwrap(), None);
}

/// C17: what a session opens is decided when it is made.
pub async fn a_session_opens_its_link_only(store: &dyn Store) {
    let first = linked(store).await;
    let second = Link { recipient: 2, ..linked(store).await };
    open(store, session(1, &first)).await.unwrap();
    open(store, session(2, &second)).await.unwrap();
    for (id, link) in [(1, first), (2, second)] {
        let found = live(store, id, noon()).await.unwrap();
        assert_eq!((found.id, found.link, found.wrapped_key), ([id; 32], link, vec![id; 48]));
    }
    assert!(live(store, 3, noon()).await.is_none());
    store.end_session([1; 32], event(Action::Finish)).await.unwrap();
    store.end_session([1; 32], event(Action::Finish)).await.unwrap();
    assert!(live(store, 1, noon()).await.is_none());
    assert!(live(store, 2, noon()).await.is_some());
}

pub async fn a_session_ends_when_idle(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    open(store, session(2, &link)).await.unwrap();
    for minute in [20, 40, 60] {
        assert!(live(store, 1, minutes(minute)).await.is_some(), "every use gives it more time");
    }
    assert!(live(store, 2, minutes(31)).await.is_none());
    assert_eq!(store.sweep_sessions(minutes(31)).await.unwrap(), 1);
    assert!(live(store, 1, minutes(90)).await.is_some());
    assert!(live(store, 1, minutes(121)).await.is_none());
}

/// H42
pub async fn sessions_of_a_link_are_bounded(store: &dyn Store) {
    let [author, _] = authors(store).await;
    for number in 0..30u8 {
        let used = later(noon(), Duration::from_secs(number.into()));
        let session = Session { id: [number; 32], link: author.link.clone(), wrapped_key: vec![1], used };
        store.open(session, event(Action::Open)).await.unwrap();
    }
    let mut live = Vec::new();
    for number in 0..30u8 {
        live.extend(store.session([number; 32], noon(), noon()).await.unwrap().map(|_| number));
    }
    assert_eq!(live, (10..30).collect::<Vec<_>>(), "the last ones");
    // Of those that were used at the same moment it is never the new one.
    let used = later(noon(), Duration::from_secs(29));
    for number in 30..60u8 {
        let id = [90 - number; 32];
        let session = Session { id, link: author.link.clone(), wrapped_key: vec![1], used };
        store.open(session, event(Action::Open)).await.unwrap();
        assert!(store.session(id, noon(), noon()).await.unwrap().is_some(), "{number}");
    }
}

/// The password was being checked while the transfer expired.
pub async fn a_closed_link_is_not_opened(store: &dyn Store) {
    let link = linked(store).await;
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { .. }));
    store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    assert!(matches!(open(store, session(1, &link)).await, Err(StoreError::Gone)));
    assert!(live(store, 1, noon()).await.is_none());
    let unknown = Link { transfer: TransferId::random(), recipient: 1 };
    assert!(matches!(open(store, session(2, &unknown)).await, Err(StoreError::Gone)));
}
