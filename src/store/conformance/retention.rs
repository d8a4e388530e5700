//! What every [`RetentionStore`] must do.

use std::time::Duration;

use super::sample::*;
use crate::clock::{Timestamp, days_later, earlier, later};
use crate::id::{Link, OrganisationId};
use crate::store::*;

/// H34
pub async fn a_leap_of_the_clock_is_believed_after_an_hour(store: &dyn Store) {
    assert_eq!(store.check_clock(noon()).await.unwrap(), ClockVerdict::Trusted);
    assert_eq!(store.check_clock(later(noon(), DAY)).await.unwrap(), ClockVerdict::Trusted);
    let leap = days(4000);
    let hold = ClockVerdict::Leapt { trusted: later(noon(), DAY), until: later(leap, DAY / 24) };
    assert_eq!(store.check_clock(leap).await.unwrap(), hold);
    assert_eq!(store.check_clock(later(leap, DAY / 48)).await.unwrap(), hold);
    assert_eq!(store.check_clock(later(leap, DAY / 24)).await.unwrap(), ClockVerdict::Trusted);
    assert_eq!(
        store.check_clock(noon()).await.unwrap(),
        ClockVerdict::Trusted,
        "nothing is early by a step back"
    );
}

/// C25: keys, sessions and blobs, and of nothing but what is over.
pub async fn expiry_destroys_keys_sessions_and_parts(store: &dyn Store) {
    let (ended, kept) = (transfer(), NewTransfer { expires: days_later(noon(), 31), ..transfer() });
    let (id, kept_id) = (ended.id.clone(), kept.id.clone());
    let mut blobs: Vec<_> = ended.parts.iter().map(|part| part.blob.clone()).collect();
    let links = [&id, &kept_id].map(|id| Link { transfer: id.clone(), recipient: 1 });
    store.commit(sealed(ended)).await.unwrap();
    store.commit(sealed(kept)).await.unwrap();
    open(store, session(1, &links[0])).await.unwrap();
    open(store, session(2, &links[1])).await.unwrap();

    let end = days_later(noon(), 30);
    let just_before = end.saturating_sub(Duration::from_micros(1)).unwrap();
    assert!(store.expire(Whose::everybody(), just_before, just_before).await.unwrap().is_empty());
    assert_eq!(store.expire(Whose::everybody(), end, end).await.unwrap(), std::slice::from_ref(&id));
    assert!(store.expire(Whose::everybody(), end, end).await.unwrap().is_empty());

    let ended = store.transfer(id).await.unwrap().unwrap();
    assert!(ended.recipients.iter().all(|recipient| recipient.key_packet.is_none()));
    assert!(ended.parts.is_empty());
    assert_eq!(ended.recipients[0].opened, Some(noon()), "that it was opened is still known");
    assert!(live(store, 1, noon()).await.is_none());
    let mut doomed = store.pending_deletion(10).await.unwrap();
    doomed.sort();
    blobs.sort();
    assert_eq!(doomed, blobs);

    let kept = store.transfer(kept_id).await.unwrap().unwrap();
    assert!(kept.recipients.iter().all(|recipient| recipient.key_packet.is_some()));
    assert_eq!(kept.parts.len(), 3);
    assert!(live(store, 2, noon()).await.is_some());
}

/// C25
pub async fn expiry_takes_drafts_along(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    let blob = find(store, &author).await.unwrap().uploads[0].pieces[0].blob.clone();
    ask(store, &author, 1, noon()).await;
    assert_eq!(store.expire(Whose::everybody(), hours(24 * 30), hours(24 * 30)).await.unwrap().len(), 1);
    assert!(find(store, &author).await.is_none());
    assert!(store.pending_deletion(10).await.unwrap().contains(&blob));
    assert_eq!(store.code(author).await.unwrap(), None);
}

/// H16
pub async fn an_idle_draft_is_swept(store: &dyn Store) {
    let [author, other] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    store.save_draft(other.clone(), Vec::new(), None, hours(2)).await.unwrap();
    assert_eq!(store.sweep_drafts(noon(), hours(3)).await.unwrap(), 0);
    assert_eq!(store.sweep_drafts(hours(1), hours(3)).await.unwrap(), 1);
    assert!(find(store, &author).await.is_none() && find(store, &other).await.is_some());
    assert_eq!(store.pending_deletion(10).await.unwrap().len(), 1);
}

pub async fn what_had_its_time_is_forgotten(store: &dyn Store) {
    let ended = NewTransfer { thread: vec![[1; 32]], ..transfer() };
    let kept = NewTransfer { expires: days(31), thread: vec![[2; 32]], ..transfer() };
    let (id, kept_id) = (ended.id.clone(), kept.id.clone());
    store.commit(sealed(ended)).await.unwrap();
    store.commit(sealed(kept)).await.unwrap();
    let link = Link { transfer: id.clone(), recipient: 1 };
    open(store, session(1, &link)).await.unwrap();
    store.note_download(fetch_of(&link, 1)).await.unwrap();
    store.expire(Whose::everybody(), days(30), days(30)).await.unwrap();

    let forget = async |transfers: Timestamp, threads: Timestamp, audit: Option<Timestamp>| {
        while store.forget_transfers(Whose::everybody(), transfers).await.unwrap() > 0 {}
        let before = Forget { threads, audit, now: days(40), tracking: noon() };
        while store.forget(before).await.unwrap() > 0 {}
        store.transfer(id.clone()).await.unwrap().is_some()
    };
    assert!(forget(earlier(days(30), Duration::from_micros(1)), noon(), None).await);
    assert!(!forget(days(30), noon(), None).await);
    assert!(store.transfer(kept_id).await.unwrap().is_some());
    assert!(store.is_sealed_thread(vec![[1; 32]]).await.unwrap());
    assert!(!store.audit_log(id.clone()).await.unwrap().is_empty(), "what happened stays");
    forget(days(30), minutes(1), Some(days(31))).await;
    assert!(!store.audit_log(id.clone()).await.unwrap().is_empty(), "what is in no block stays");
    while store.extend_chain(days(31)).await.unwrap() > 0 {}
    forget(days(30), minutes(1), Some(days(31))).await;
    assert!(!store.is_sealed_thread(vec![[1; 32]]).await.unwrap());
    assert!(store.audit_log(id.clone()).await.unwrap().is_empty());
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
    let before = Forget { threads: minutes(5), audit: None, now: noon(), tracking: noon() };
    store.forget(before).await.unwrap();
    assert!(known([1; 32]).await.unwrap());
    store.forget(Forget { threads: minutes(6), ..before }).await.unwrap();
    assert!(!known([1; 32]).await.unwrap());
    assert!(known([2; 32]).await.unwrap() && known([3; 32]).await.unwrap(), "an answer keeps it alive");
    assert!(!known([4; 32]).await.unwrap(), "and begins none");
}

/// Each organisation has its own days: what is due of one is no reason to end what is another's. Of the operator is all that is of
/// nobody else.
pub async fn organisations_have_days_of_their_own(store: &dyn Store) {
    let domain = OrganisationId::of_domain;
    let mut ids = Vec::new();
    for whose in ["voorbeeld.nl", "zuiderveen.nl", "weg.nl"] {
        let one = NewTransfer { organisation: domain(whose), parts: Vec::new(), ..transfer() };
        ids.push(one.id.clone());
        store.commit(sealed(one)).await.unwrap();
    }
    let zuiderveen = Whose::of(vec![domain("nieuw.nl"), domain("zuiderveen.nl")]);
    let operator = Whose::all_but(vec![domain("nieuw.nl"), domain("zuiderveen.nl")]);
    let due = async |whose: &Whose, now| {
        let due = store.due_reminders(whose.clone(), now, days_later(now, 2), noon(), 10).await.unwrap();
        due.into_iter().map(|due| due.transfer).collect::<Vec<_>>()
    };
    for now in [days(16), days(29)] {
        assert_eq!(due(&zuiderveen, now).await, ids[1..2], "half time, then the last days");
        assert_eq!(due(&operator, now).await, [ids[0].clone(), ids[2].clone()]);
    }
    assert!(store.expire(Whose::of(vec![domain("zuider")]), days(31), days(31)).await.unwrap().is_empty());
    assert_eq!(store.expire(zuiderveen.clone(), days(31), days(31)).await.unwrap(), ids[1..2]);
    assert_eq!(
        store.expire(operator.clone(), days(31), days(31)).await.unwrap(),
        [ids[0].clone(), ids[2].clone()]
    );
    assert_eq!(store.forget_transfers(operator, days(31)).await.unwrap(), 2);
    assert!(store.transfer(ids[1].clone()).await.unwrap().is_some());
    assert_eq!(store.forget_transfers(zuiderveen, days(31)).await.unwrap(), 1);
}
