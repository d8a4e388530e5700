//! What is kept of a transfer: its sealed parts, and its recipients with their keys and tries. Made by
//! `transfer/sealing`, read wherever transfers are used.

use async_trait::async_trait;
use serde::Serialize;

use super::Result;
use crate::address::Address;
use crate::calendar::Zone;
use crate::cause::FailureCause;
use crate::clock::Timestamp;
use crate::id::{BlobName, OrganisationId, TransferId};
use crate::locale::Language;
use crate::secret::masters::Generation;

/// Finds transfers.
#[async_trait]
pub trait TransferStore: Send + Sync + 'static {
    /// A transfer with its parts and recipients.
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>>;
}

/// All transfers, for the command line.
#[async_trait]
pub trait TransferAdmin: Send + Sync + 'static {
    /// Every transfer, newest first, without parts.
    async fn transfers(&self) -> Result<Vec<Transfer>>;
    /// Those that name a mailbox ([`Address::mailbox`]): as sender, as recipient, or as one whom answers go to. There may be others
    /// among them.
    async fn transfers_of(&self, mailbox: String) -> Result<Vec<Transfer>>;
}

/// A new transfer; its parts are already durable in the blob store.
#[derive(Debug)]
pub struct NewTransfer {
    /// Its name.
    pub id: TransferId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// When it was sealed.
    pub created: Timestamp,
    /// When its keys will be destroyed.
    pub expires: Timestamp,
    /// The sender: gets the receipt.
    pub sender: Option<Address>,
    /// The Message-ID of what was sealed.
    pub message_id: Option<String>,
    /// Where answers go in place of the sender: addresses of the organisation. Empty: to the sender.
    pub reply_to: Vec<Address>,
    /// The authors of the organisation for whom the sender has sent it.
    pub on_behalf_of: Vec<Address>,
    /// Whether a password is needed besides the link.
    pub password: bool,
    /// A machine sent it: nothing about it is ever mailed back (RFC 3834).
    pub automatic: bool,
    /// Of mails to its recipients; none: the gateway's own.
    pub language: Option<Language>,
    /// The sender is told of downloads.
    pub download_notice: bool,
    /// And of which files.
    pub file_names: bool,
    /// When those who have not opened it are reminded first.
    pub first_reminder: Option<Timestamp>,
    /// Its sealed parts, part 0 being the index.
    pub parts: Vec<Part>,
    /// How many of the parts, from 1 on, are files.
    pub files: u32,
    /// Which master key its links are made with.
    pub generation: Generation,
    /// Its recipients, numbered from 1.
    pub recipients: Vec<NewRecipient>,
    /// Hashes of what names its thread from now on.
    pub thread: Vec<[u8; 32]>,
    /// Hashes of what it answers: sealed threads among them live on, and none begins.
    pub answers: Vec<[u8; 32]>,
}

/// A sealed part of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number; 0 is the index (`transfer/index`).
    pub number: u32,
    /// Where its sealed bytes are.
    pub blob: BlobName,
    /// Bytes before sealing.
    pub size: u64,
}

/// One recipient of a new transfer.
#[derive(Debug)]
pub struct NewRecipient {
    /// The number within the transfer, from 1.
    pub number: u16,
    /// Whom the notification goes to.
    pub address: Address,
    /// The OpenPGP key packet (SKESK) that this recipient's passphrase opens.
    pub key_packet: Vec<u8>,
}

/// A transfer as the store knows it.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its name.
    pub id: TransferId,
    /// Whose it is; none: the operator's, as all were before there could be several organisations.
    pub organisation: Option<OrganisationId>,
    /// When it was sealed.
    pub created: Timestamp,
    /// When its keys will be, or were, destroyed.
    pub expires: Timestamp,
    pub sender: Option<Address>,
    /// The Message-ID of what was sealed: later mails to its recipients answer that.
    pub message_id: Option<String>,
    /// Where answers go in place of the sender: addresses of the organisation. Empty: to the sender.
    pub reply_to: Vec<Address>,
    /// The authors of the organisation for whom the sender has sent it.
    pub on_behalf_of: Vec<Address>,
    /// Whether a password is needed besides the link.
    pub password: bool,
    /// A machine sent it: nothing about it is ever mailed back (RFC 3834).
    pub automatic: bool,
    /// Of mails to its recipients; none: the gateway's own.
    pub language: Option<Language>,
    /// The sender is told of downloads.
    pub download_notice: bool,
    /// And of which files.
    pub file_names: bool,
    /// Its sealed parts in order; empty once they are destroyed.
    pub parts: Vec<Part>,
    /// How many of the parts, from 1 on, are, or were, files.
    pub files: u32,
    /// Which master key its links are made with.
    pub generation: Generation,
    /// Its recipients in order.
    pub recipients: Vec<Recipient>,
}

impl Transfer {
    /// Whether its sender is somebody who may be written to about it (RFC 3834).
    pub fn has_sender_to_tell(&self) -> bool {
        self.sender.is_some() && !self.automatic
    }

    /// It is past its date: until when the sender can still give it another one (`seal.grace_days`). None when its
    /// keys are gone, or go now.
    pub fn renewable_until(&self, grace_days: u32, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
        let end = zone.days_later(self.expires, grace_days);
        let has_keys = self.recipients.iter().any(|one| one.key_packet.is_some());
        (self.expires <= now && now < end && has_keys).then_some(end)
    }
}

/// One recipient of a transfer, with own key, tries and state.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The number within the transfer, from 1.
    pub number: u16,
    /// Whom the notification went to.
    pub address: Address,
    /// The key packet; `None` once it is destroyed.
    pub key_packet: Option<Vec<u8>>,
    /// Wrong passwords since the last right one.
    pub tries: u32,
    /// Closed for tries until then.
    pub locked_until: Option<Timestamp>,
    /// When the next hop first took a notification for them.
    pub first_notified: Option<Timestamp>,
    /// When it last took one.
    pub notified: Option<Timestamp>,
    /// The notification did not arrive; the link is closed.
    pub bounced: Option<Bounce>,
    /// First opened.
    pub opened: Option<Timestamp>,
    /// Recalled by the sender or an administrator.
    pub recalled: Option<Timestamp>,
}

impl Recipient {
    /// Whether their link can be opened, and has not been.
    pub fn has_yet_to_open(&self) -> bool {
        self.key_packet.is_some()
            && self.opened.is_none()
            && self.bounced.is_none()
            && self.recalled.is_none()
    }
}

/// A notification that did not arrive. The link is closed until another one is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bounce {
    /// Since when the link is closed.
    pub time: Timestamp,
    /// Why, as far as the codes tell.
    pub cause: FailureCause,
    /// What the last server said, or our own trouble; one line.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{days_later, later};
    use crate::transfer::testing::transfer_row;

    #[test]
    fn a_machine_and_nobody_are_not_told() {
        let sender = Address::parse("jan@voorbeeld.nl").ok();
        let transfer = Transfer { sender, ..transfer_row() };
        assert!(transfer.has_sender_to_tell());
        assert!(!Transfer { automatic: true, ..transfer.clone() }.has_sender_to_tell());
        assert!(!Transfer { sender: None, ..transfer }.has_sender_to_tell());
    }

    #[test]
    fn what_is_past_its_date_can_be_renewed_while_a_key_is_left() {
        let (transfer, zone) = (transfer_row(), &Zone::default());
        let (end, second) = (days_later(transfer.expires, 7), std::time::Duration::from_secs(1));
        let before = transfer.expires.saturating_sub(second).unwrap();
        assert_eq!(transfer.renewable_until(7, zone, before), None, "it needs no renewal");
        assert_eq!(transfer.renewable_until(7, zone, transfer.expires), Some(end));
        assert_eq!(transfer.renewable_until(7, zone, end.saturating_sub(second).unwrap()), Some(end));
        assert_eq!(transfer.renewable_until(7, zone, end), None);
        assert_eq!(transfer.renewable_until(0, zone, later(transfer.expires, second)), None);
        let mut gone = transfer.clone();
        gone.recipients.iter_mut().for_each(|one| one.key_packet = None);
        assert_eq!(gone.renewable_until(7, zone, transfer.expires), None);
    }
}
