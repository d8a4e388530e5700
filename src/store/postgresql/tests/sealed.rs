//! Messages that are more than ordinary mail, many at once: they share commits, and each of them is whole or not there.

use futures_util::future::join_all;

use super::*;
use crate::clock::days_later;
use crate::id::{BlobName, TransferId};
use crate::store::conformance::sample::{days, item, message, noon, sealed, transfer};
use crate::store::*;

/// A message with a transfer and two mails about it.
fn whole(transfer: NewTransfer) -> Acceptance {
    Acceptance { transfer: Some(transfer), ..message(vec![item(), item()]) }
}

fn count(database: &TestDatabase, what: &str) -> usize {
    database.sql(&format!("SELECT count({what}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_side_by_side_share_commits() {
    let (store, database) = fresh().await;
    let commits: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(whole(transfer())).await.unwrap() })
        })
        .collect();
    for commit in join_all(commits).await {
        commit.unwrap();
    }
    for (rows, wanted) in
        [("transfers", 100), ("transfer_recipients", 200), ("parts", 300), ("items", 200), ("audit", 100)]
    {
        assert_eq!(count(&database, &format!("*) FROM {rows}")), wanted, "{rows}");
    }
    let commits = count(&database, "DISTINCT xmin::text) FROM transfers");
    assert!(commits < 50, "{commits} commits");
}

/// Each has what it came with, and nothing of the others.
#[tokio::test]
async fn what_is_put_in_together_is_not_mixed_up() {
    let (store, database) = fresh().await;
    let messages: Vec<_> = (1..=20)
        .map(|number| {
            let mut transfer = transfer();
            transfer.message_id = (number % 2 == 0).then(|| format!("<{number}@voorbeeld.nl>"));
            transfer.expires = days_later(noon(), number);
            transfer.parts.truncate(1 + number as usize % 3);
            transfer.recipients.truncate(1 + number as usize % 2);
            transfer.reply_to.truncate(number as usize % 3);
            transfer
        })
        .collect();
    let wanted: Vec<_> = messages
        .iter()
        .map(|it| (it.id.clone(), it.message_id.clone(), it.expires, it.parts.clone(), it.reply_to.clone()))
        .collect();
    let recipients: Vec<_> = messages.iter().map(|it| it.recipients.len()).collect();
    for done in join_all(messages.into_iter().map(|transfer| store.commit(whole(transfer)))).await {
        done.unwrap();
    }
    for ((id, message_id, expires, parts, reply_to), recipients) in wanted.into_iter().zip(recipients) {
        let found = store.transfer(id).await.unwrap().unwrap();
        assert_eq!((found.message_id, found.expires, found.reply_to), (message_id, expires, reply_to));
        assert_eq!((found.parts, found.recipients.len()), (parts, recipients));
    }
    assert!(count(&database, "DISTINCT xmin::text) FROM transfers") < 20);
}

/// C01: one that cannot be kept spoils no other, whatever is wrong with it.
#[tokio::test]
async fn one_that_cannot_be_kept_spoils_no_other() {
    let (store, database) = fresh().await;
    let known = transfer();
    let again = known.id.clone();
    store.commit(sealed(known)).await.unwrap();
    let given_up = BlobName::random();
    database.sql(&format!("INSERT INTO doomed (blob) VALUES ('{given_up}')"));
    let part = Part { number: 0, blob: given_up, size: 1 };

    let spoilt = |number: usize| match number {
        7 => NewTransfer { id: again.clone(), ..transfer() },
        8 => NewTransfer { parts: vec![part.clone()], ..transfer() },
        9 => NewTransfer { message_id: Some("<\0@voorbeeld.nl>".to_owned()), ..transfer() },
        _ => transfer(),
    };
    let messages: Vec<_> = (0..20).map(|number| whole(spoilt(number))).collect();
    let ids: Vec<TransferId> =
        messages.iter().map(|message| message.transfer.as_ref().unwrap().id.clone()).collect();
    let done = join_all(messages.into_iter().map(|message| store.commit(message))).await;
    for (number, (done, id)) in done.into_iter().zip(ids).enumerate() {
        let is_spoilt = (7..10).contains(&number);
        assert_eq!(done.is_err(), is_spoilt, "{number}: {done:?}");
        assert_eq!(store.transfer(id).await.unwrap().is_some(), !is_spoilt || number == 7, "{number}");
    }
    assert_eq!(count(&database, "*) FROM items"), 2 * 17);
}

/// Two conversations in which each answers the other: whoever commits first, nobody is locked out.
#[tokio::test(flavor = "multi_thread")]
async fn threads_that_answer_each_other_do_not_wait_in_a_circle() {
    let (one, database) = fresh().await;
    let other = node(&database);
    let hash = |number: u8| [number; 32];
    for _ in 0..30 {
        let commits = (0..10).map(|number| {
            let store = if number % 2 == 0 { one.clone() } else { other.clone() };
            let (thread, answers) =
                (vec![hash(number), hash(9 - number)], vec![hash(9 - number), hash(number)]);
            let new = NewTransfer { thread, answers, ..transfer() };
            tokio::spawn(async move { store.commit(sealed(new)).await.map(drop) })
        });
        for done in join_all(commits.collect::<Vec<_>>()).await {
            done.unwrap().unwrap();
        }
    }
    assert_eq!(count(&database, "*) FROM threads"), 10);
}

#[tokio::test]
async fn an_answer_keeps_a_thread_alive_and_begins_none() {
    let (store, database) = fresh().await;
    let (begun, foreign) = ([1; 32], [2; 32]);
    store.commit(sealed(NewTransfer { thread: vec![begun], ..transfer() })).await.unwrap();
    let later = NewTransfer { created: days(400), answers: vec![begun, foreign], ..transfer() };
    store.commit(sealed(later)).await.unwrap();
    assert_eq!(database.sql("SELECT created FROM threads"), days(400).as_microsecond().to_string());
    assert!(!store.is_sealed_thread(vec![foreign]).await.unwrap());
    // An earlier one does not shorten its life.
    store.commit(sealed(NewTransfer { answers: vec![begun], ..transfer() })).await.unwrap();
    assert_eq!(database.sql("SELECT created FROM threads"), days(400).as_microsecond().to_string());
}
