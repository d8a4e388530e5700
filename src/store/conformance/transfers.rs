//! What every [`TransferStore`] and [`TransferAdmin`] must do.

use super::sample::*;
use crate::clock::days_later;
use crate::id::{OrganisationId, TransferId};
use crate::store::*;

pub async fn a_transfer_comes_back_as_it_went_in(store: &dyn Store) {
    let (first, mut second) = (transfer(), transfer());
    (second.sender, second.password) = (None, false);
    second.organisation = OrganisationId::of_domain("zuiderveen.nl");
    (second.reply_to, second.on_behalf_of) = (Vec::new(), Vec::new());
    let (parts, ids) = (first.parts.clone(), [second.id.clone(), first.id.clone()]);
    store.commit(sealed(first)).await.unwrap();
    store.commit(sealed(second)).await.unwrap();

    let found = store.transfer(ids[1].clone()).await.unwrap().unwrap();
    assert_eq!((found.created, found.expires), (noon(), days_later(noon(), 30)));
    assert_eq!((found.sender, found.password), (Some(address("jan@voorbeeld.nl")), true));
    assert_eq!(found.message_id.as_deref(), Some("<besluit@voorbeeld.nl>"));
    assert_eq!(found.reply_to, [address("zaak-12@voorbeeld.nl"), address("zaak@voorbeeld.nl")]);
    assert_eq!(found.on_behalf_of, [address("wethouder@voorbeeld.nl")]);
    assert_eq!(found.parts, parts);
    assert_eq!(found.organisation, Some(OrganisationId::of_domain("voorbeeld.nl")));
    let second = &found.recipients[1];
    assert_eq!((second.number, second.address.as_str()), (2, "b@example.org"));
    assert_eq!(second.key_packet.as_deref(), Some(&b"key packet of b@example.org"[..]));
    assert_eq!((second.tries, second.locked_until, second.opened, second.recalled), (0, None, None, None));

    let all = store.transfers().await.unwrap();
    assert_eq!(all.iter().map(|transfer| transfer.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!((all[0].sender.clone(), all[0].password, all[0].recipients.len()), (None, false, 2));
    assert!(all[1].parts.is_empty());
    let owners = all.iter().map(|one| one.organisation.as_ref().map(OrganisationId::as_str));
    assert_eq!(owners.collect::<Vec<_>>(), [Some("zuiderveen.nl"), Some("voorbeeld.nl")]);
    assert!(store.transfer(TransferId::random()).await.unwrap().is_none());
}
