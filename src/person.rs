//! What is held on somebody, by their mail address: for the person who asks (AVG, article 15), and to take them out of it
//! (article 17). What is sealed cannot be searched, and neither can logs and backups: the command line says so.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::audit::chain::Row;
use crate::id::TransferId;
use crate::store::{OrganisationFilter, Result, Transfer, TransferAdmin};

/// Somebody, and the transfers that they sent or were sent.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub address: Address,
    /// Newest first.
    pub transfers: Vec<Part>,
    /// By the name of the transfer: the links of this person.
    links: BTreeMap<String, Vec<String>>,
}

/// What somebody has to do with a transfer.
#[derive(Debug)]
pub struct Part {
    pub transfer: Transfer,
    /// They sent it, it was sent on their behalf, or answers go to them.
    pub is_sender: bool,
    /// They are these recipients.
    pub recipients: Vec<u16>,
}

impl Part {
    /// Whether a link of theirs, or of a transfer that they sent, can still be opened.
    pub fn is_open(&self) -> bool {
        let recipients = &self.transfer.recipients;
        recipients
            .iter()
            .any(|one| one.key_packet.is_some() && (self.is_sender || self.recipients.contains(&one.number)))
    }
}

/// What the store knows of them: in transfers of one organisation, or in all.
pub async fn find<S: TransferAdmin + ?Sized>(
    store: &S,
    address: &Address,
    whose: Option<&OrganisationFilter>,
) -> Result<Person> {
    let transfers = store.transfers_of(address.mailbox()).await?.into_iter();
    let meant = transfers.filter(|one| whose.is_none_or(|whose| whose.is(one.organisation.as_ref())));
    let parts: Vec<Part> = meant.filter_map(|transfer| part(transfer, address)).collect();
    let link = |transfer: &TransferId, number: &u16| format!("{transfer}/{number}");
    let links = parts.iter().map(|part| {
        let id = &part.transfer.id;
        (id.to_string(), part.recipients.iter().map(|number| link(id, number)).collect())
    });
    Ok(Person { address: address.clone(), links: links.collect(), transfers: parts })
}

fn part(transfer: Transfer, address: &Address) -> Option<Part> {
    let is = |other: &Address| is_same(address, other);
    let is_sender = transfer.sender.iter().chain(&transfer.reply_to).chain(&transfer.on_behalf_of).any(is);
    let recipients = transfer.recipients.iter().filter(|one| is(&one.address)).map(|one| one.number);
    let recipients: Vec<u16> = recipients.collect();
    (is_sender || !recipients.is_empty()).then_some(Part { transfer, is_sender, recipients })
}

/// Letter case aside: mailboxes whose names differ in it alone are one person's everywhere.
pub fn is_same(one: &Address, other: &Address) -> bool {
    one.is_same_mailbox(other)
}

impl Person {
    /// Whether an event tells of them: what they did, and what happened to what they sent or were sent.
    pub fn is_in(&self, row: &Row) -> bool {
        let transfer = row.object.split('/').next().unwrap_or_default();
        self.names(row) || self.links.contains_key(transfer)
    }

    /// Whether actor or origin of an event are this person's.
    pub fn names(&self, row: &Row) -> bool {
        if row.actor.to_lowercase() == self.address.as_str().to_lowercase() {
            return true;
        }
        let mut pieces = row.object.split('/');
        let transfer = pieces.next().unwrap_or_default();
        let Some((links, number)) = self.links.get(transfer).zip(pieces.next()) else { return false };
        row.actor == "recipient" && links.iter().any(|link| *link == format!("{transfer}/{number}"))
    }
}
