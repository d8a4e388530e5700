//! What every [`PersonStore`] must do.

use super::sample::*;
use crate::id::Link;
use crate::store::person::{ERASED_ADDRESS, Erasure};
use crate::store::*;

pub async fn nobody_is_erased_while_a_link_of_theirs_is_open(store: &dyn Store) {
    let link = linked(store).await;
    let sent = async || store.transfer(link.transfer.clone()).await.unwrap().unwrap();
    let before = sent().await;
    let erase = async |sender, recipients: Vec<u16>| {
        let (transfer, nobody) = (link.transfer.clone(), Vec::new());
        let erasure =
            Erasure { transfer, sender, reply_to: nobody.clone(), on_behalf_of: nobody, recipients };
        store.erase_person(erasure).await.unwrap()
    };
    assert!(before.recipients.len() > 1 && before.sender.is_some());
    assert!(!erase(true, vec![]).await && !erase(false, vec![1]).await && !erase(true, vec![2]).await);
    assert_eq!(sent().await.recipients[0].address, before.recipients[0].address);

    store.recall(recall(&link, Some(1))).await.unwrap();
    assert!(!erase(false, vec![2]).await && !erase(true, vec![]).await);
    assert!(erase(false, vec![1]).await);
    let after = sent().await;
    assert_eq!(after.recipients[0].address.as_str(), ERASED_ADDRESS);
    assert_eq!(after.recipients[1].address, before.recipients[1].address);
    assert_eq!((&after.sender, after.recipients[0].recalled.is_some()), (&before.sender, true));

    store.recall(recall(&link, None)).await.unwrap();
    assert!(erase(true, vec![]).await);
    let after = sent().await;
    assert_eq!((after.sender, after.message_id, after.reply_to.len()), (None, None, 0));
    assert_eq!(after.recipients[1].address, before.recipients[1].address);
    let unknown = Link { transfer: crate::id::TransferId::random(), recipient: 1 };
    let erasure = Erasure {
        transfer: unknown.transfer,
        sender: true,
        reply_to: Vec::new(),
        on_behalf_of: Vec::new(),
        recipients: Vec::new(),
    };
    assert!(!store.erase_person(erasure).await.unwrap());
}

/// However it is spelled, and whatever they have to do with it.
pub async fn somebody_is_found_in_transfers_however_they_are_spelled(store: &dyn Store) {
    let people = |sender: &str, recipient: &str, reply_to: &[&str], on_behalf_of: &[&str]| {
        let mut new = transfer();
        new.sender = Some(address(sender));
        new.recipients.truncate(1);
        new.recipients[0].address = address(recipient);
        new.reply_to = reply_to.iter().map(|one| address(one)).collect();
        new.on_behalf_of = on_behalf_of.iter().map(|one| address(one)).collect();
        new
    };
    let (nobody, jan) = ("x@voorbeeld.nl", "Jan@B\u{fc}ro.example");
    let all = [
        people(jan, nobody, &[], &[]),
        people(nobody, "\"jan\"@xn--bro-hoa.example", &[], &[]),
        people(nobody, "JAN@xn--bro-HOA.example", &[], &[]),
        people(nobody, nobody, &[nobody, jan], &[]),
        people(nobody, nobody, &[], &["\"jan\"@xn--bro-hoa.example"]),
        people(nobody, nobody, &["jan@xn--bro-hoa.example"], &[nobody]),
        people("an@xn--bro-hoa.example", "janna@voorbeeld.nl", &[], &[]),
    ];
    let ids: Vec<_> = all.iter().map(|one| one.id.clone()).collect();
    for one in all {
        store.commit(sealed(one)).await.unwrap();
    }
    for spelling in [jan, "jan@b\u{fc}ro.example", "Jan@XN--bro-hoa.example"] {
        let found = crate::person::find(store, &address(spelling), None).await.unwrap();
        let found: Vec<_> = found.transfers.iter().map(|part| part.transfer.id.clone()).collect();
        assert_eq!(found, ids[..6].iter().rev().cloned().collect::<Vec<_>>(), "{spelling}");
    }
    let others = store.transfers_of("janna@voorbeeld.nl".to_owned()).await.unwrap();
    assert!(others.iter().any(|one| one.id == ids[6]));
    assert!(
        others.iter().all(|one| one.id != ids[2]),
        "what is spelled plainly is not read for somebody else"
    );
}
