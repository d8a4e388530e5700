//! What every [`VerificationStore`] must do.

use std::time::Duration;

use super::sample::*;
use crate::clock::{Timestamp, later};
use crate::limits::Rate;
use crate::store::*;

/// C23
pub async fn a_code_is_tried_and_spent(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::None);
    assert_eq!(ask(store, &author, 1, noon()).await, None);
    assert_eq!(store.queue().await.unwrap().len(), 1, "its mail");
    assert_eq!(store.code(author.clone()).await.unwrap().unwrap().facts, b"who");
    assert_eq!(try_code(store, &other, 7, noon()).await, CodeTry::None);
    assert_eq!(try_code(store, &author, 8, noon()).await, CodeTry::Wrong(1));
    assert_eq!(store.browser(author.browser, noon()).await.unwrap(), None);
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::Right);
    assert_eq!(store.browser(author.browser, noon()).await.unwrap().unwrap().facts, b"who");
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::None, "once");

    assert_eq!(ask(store, &other, 2, noon()).await, None);
    let late = later(noon(), Duration::from_secs(600));
    assert_eq!(try_code(store, &other, 7, late).await, CodeTry::Expired);
}

/// C23, H18: a new code adds no tries; mails are counted for each address and each client.
pub async fn codes_and_mails_are_counted(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(ask(store, &author, 1, noon()).await, None);
    assert_eq!(try_code(store, &author, 8, noon()).await, CodeTry::Wrong(1));
    assert_eq!(ask(store, &author, 1, noon()).await, None);
    assert_eq!(try_code(store, &author, 8, noon()).await, CodeTry::Wrong(0));
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::None);
    assert_eq!(ask(store, &author, 2, noon()).await, Some(hours(1)), "the tries are used up");

    assert_eq!(ask(store, &other, 1, noon()).await, None);
    assert_eq!(ask(store, &other, 1, noon()).await, Some(hours(1)), "three to one address");
    assert_eq!(ask(store, &other, 2, noon()).await, None);
    assert_eq!(ask(store, &other, 3, noon()).await, Some(hours(1)), "four for one client");
    assert_eq!(ask(store, &author, 1, hours(1)).await, None);
    assert_eq!(try_code(store, &author, 7, hours(1)).await, CodeTry::Right);
}

/// H42: whatever the addresses and clients.
pub async fn codes_are_bounded_per_link_and_in_all(store: &dyn Store) {
    let wide = CodeLimits { per_address: 100, per_client: 100, in_all: Rate::per(5, HOUR), ..CODES };
    let per_link = Rate::per(2, HOUR);
    let narrow = CodeLimits { per_link, ..wide };
    let [author, other] = authors(store).await;
    assert_eq!(ask_within(store, &author, 1, noon(), narrow).await, None);
    assert_eq!(ask_within(store, &other, 2, noon(), narrow).await, None);
    let until = ask_within(store, &other, 3, noon(), narrow).await;
    assert_eq!(until, Some(later(noon(), HOUR / 2)), "two through one link");
    let [stranger, _] = authors(store).await;
    assert_eq!(ask_within(store, &stranger, 4, noon(), narrow).await, None, "another link");
    let day = CodeLimits { per_link_and_day: per_link, ..wide };
    let [third, _] = authors(store).await;
    for _ in 0..2 {
        assert_eq!(ask_within(store, &third, 5, noon(), day).await, None);
    }
    assert!(ask_within(store, &third, 5, noon(), day).await.is_some());
    let [fourth, _] = authors(store).await;
    assert!(ask_within(store, &fourth, 6, noon(), wide).await.is_some(), "five were asked for by all");
}

/// Has a browser remembered; tells until when.
pub async fn remember(store: &dyn Store) -> Timestamp {
    let [author, _] = authors(store).await;
    ask(store, &author, 1, noon()).await;
    try_code(store, &author, 7, noon()).await;
    store.browser(author.browser, noon()).await.unwrap().unwrap().until
}

pub async fn a_browser_is_remembered_for_a_while(store: &dyn Store) {
    let [author, _] = authors(store).await;
    ask(store, &author, 1, noon()).await;
    try_code(store, &author, 7, noon()).await;
    assert!(store.browser(author.browser, hours(9)).await.unwrap().is_some());
    assert_eq!(store.browser(author.browser, hours(10)).await.unwrap(), None);
    store.forget_browser(author.browser).await.unwrap();
    assert_eq!(store.browser(author.browser, noon()).await.unwrap(), None);
}
