//! What every [`AuditTrail`] must do.

use super::sample::*;
use crate::audit::chain::{Head, Row};
use crate::audit::verify::{Fault, Verdict};
use crate::audit::{Action, Actor, Event, Initiator};
use crate::clock::Timestamp;
use crate::id::{Link, OrganisationId};
use crate::store::*;

async fn append(store: &dyn Store, count: u64) {
    for number in 0..count {
        let jan = Actor::Sender(crate::address::ReversePath::Address(address("jan@voorbeeld.nl")));
        let event = Event { time: minutes(number), actor: jan, ..event(Action::Seal) };
        store.append_audit(event).await.unwrap();
    }
}

async fn verdict(store: &dyn Store, head: Option<Head>) -> Verdict {
    verify_trail(store, head).await.unwrap()
}

async fn rows(store: &dyn Store) -> Vec<Row> {
    store.audit_rows(0, u64::MAX, 10_000).await.unwrap()
}

pub async fn rows_are_chained_once_and_verified(store: &dyn Store) {
    assert_eq!(store.extend_chain(noon()).await.unwrap(), 0);
    assert!(store.newest_block().await.unwrap().is_none(), "nothing happened");
    append(store, 3).await;
    assert_eq!(verdict(store, None).await.unchained, 3);
    assert_eq!(store.extend_chain(noon()).await.unwrap(), 3);
    assert_eq!(store.extend_chain(noon()).await.unwrap(), 0);
    let first = verdict(store, None).await;
    assert_eq!((first.rows, first.blocks, first.unchained, first.faults_in_all), (3, 1, 0, 0));
    append(store, 1005).await;
    assert_eq!(store.extend_chain(noon()).await.unwrap(), 1000);
    assert_eq!(store.extend_chain(noon()).await.unwrap(), 5);
    let second = verdict(store, first.head).await;
    assert_eq!((second.rows, second.blocks, second.faults_in_all), (1008, 3, 0), "{second:?}");
    let late = Head { block: 4, ..second.head.unwrap() };
    assert_eq!(verdict(store, Some(late)).await.faults, [Fault::Cut(4)]);
    let other = Head { hash: [7; 32], ..first.head.unwrap() };
    assert_eq!(verdict(store, Some(other)).await.faults, [Fault::OtherHead(1)]);
}

/// A person goes, the proof stays.
pub async fn a_person_is_erased_and_the_chain_holds(store: &dyn Store) {
    append(store, 5).await;
    let numbers: Vec<u64> = rows(store).await.iter().map(|row| row.number).collect();
    let wanted = vec![numbers[1], numbers[3], 9_999_999];
    assert_eq!(
        store.erase_in_trail(wanted.clone(), noon()).await.unwrap(),
        0,
        "none of them is in the chain"
    );
    store.extend_chain(noon()).await.unwrap();
    let head = verdict(store, None).await.head;
    assert_eq!(store.erase_in_trail(wanted.clone(), noon()).await.unwrap(), 2);
    assert_eq!(store.erase_in_trail(wanted, noon()).await.unwrap(), 0, "it was done before");
    let after = verdict(store, head).await;
    assert_eq!((after.rows, after.erased, after.faults_in_all), (5, 2, 0), "{after:?}");
    for (row, place) in rows(store).await.iter().zip(0..) {
        let is_erased = place == 1 || place == 3;
        assert_eq!(row.is_erased(), is_erased);
        assert_eq!(row.actor.contains("jan"), !is_erased, "{row:?}");
        assert_eq!(row.action, "seal");
    }
    append(store, 1).await;
    store.extend_chain(noon()).await.unwrap();
    assert_eq!(verdict(store, head).await.faults_in_all, 0);
}

pub async fn what_is_forgotten_leaves_a_chain_that_holds(store: &dyn Store) {
    let mut heads = Vec::new();
    for day in [0, 10, 20] {
        let event =
            Initiator::zegel().event(days(day), Action::Expire, "x".into(), crate::audit::EventResult::Ok);
        store.append_audit(event).await.unwrap();
        store.extend_chain(days(day)).await.unwrap();
        heads.push(verdict(store, None).await.head.unwrap());
    }
    let forget = async |audit: Timestamp, now| {
        let before = Forget { threads: noon(), audit: Some(audit), now, tracking: noon() };
        let mut forgotten = 0;
        for _ in 0..5 {
            match store.forget(before).await.unwrap() {
                0 => return forgotten,
                some => forgotten += some,
            }
        }
        panic!("it does not come to an end")
    };
    assert_eq!(forget(days(0), days(21)).await, 0);
    assert_eq!(forget(days(15), days(21)).await, 4, "two rows and two blocks");
    assert_eq!(rows(store).await.len(), 1);
    let after = verdict(store, Some(heads[2])).await;
    assert_eq!((after.rows, after.faults_in_all), (1, 0), "{after:?}");
    assert_eq!(
        verdict(store, Some(heads[1])).await.faults_in_all,
        0,
        "where the chain begins is still known"
    );
    assert_eq!(verdict(store, Some(heads[0])).await.faults, [Fault::HeadForgotten(1)]);
    // Everything, in the end: also what the chain says of itself.
    assert!(forget(days(100), days(200)).await > 0);
    assert_eq!(forget(days(100), days(200)).await, 0);
    assert!(rows(store).await.is_empty());
    append(store, 2).await;
    store.extend_chain(days(200)).await.unwrap();
    let last = verdict(store, None).await;
    assert_eq!((last.rows, last.faults_in_all), (2, 0), "{last:?}");
}

/// What happens to a transfer is its organisation's, whoever did it; so is what happens to a mail in the queue.
pub async fn an_event_says_whose_it_is(store: &dyn Store) {
    let [noord, zuid] = ["noorderveen.nl", "zuiderveen.nl"].map(OrganisationId::of_domain);
    let (transfer, item) = (transfer(), NewItem { organisation: Some(zuid.clone()), ..item() });
    let (id, mail) = (transfer.id.clone(), item.id.clone());
    let sealed = Acceptance {
        transfer: Some(NewTransfer { organisation: noord.clone(), ..transfer }),
        ..message(vec![item])
    };
    store.commit(sealed).await.unwrap();
    let link = Link { transfer: id.clone(), recipient: 1 };
    for object in
        [id.to_string(), link.to_string(), format!("{link}/2"), mail.to_string(), "configuration".into()]
    {
        store.append_audit(Event { object, ..event(Action::Open) }).await.unwrap();
    }
    store.append_audit(event(Action::Accept).of(Some(zuid.clone()))).await.unwrap();
    assert!(store.drop_item(mail, event(Action::Drop)).await.unwrap().is_change());
    let told =
        rows(store).await.into_iter().filter(|row| row.action != "accept" || row.organisation.is_some());
    let found: Vec<_> = told.map(|row| row.organisation).collect();
    let [noord, zuid] = [noord, zuid].map(|one| Some(one.as_str().to_owned()));
    let of_transfer = [noord.clone(), noord.clone(), noord];
    assert_eq!(found, [&of_transfer[..], &[zuid.clone(), None, zuid, None]].concat());
    store.extend_chain(noon()).await.unwrap();
    let verdict = verdict(store, None).await;
    assert_eq!((verdict.rows, verdict.unbound, verdict.faults_in_all), (8, 0, 0));
}
