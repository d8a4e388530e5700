//! The mails that actions send, ready for the queue. What they are made of is what the database has: name, phone
//! and subject of the original are only inside sealed parts, so the staff list must do for the sender.

use super::{ActionError, Result};
use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::envelope::{EnvelopeRecipient, MailParameters};
use crate::id::{Link, QueueId};
use crate::message::mailbox::Mailbox;
use crate::outbox::compose::Fields;
use crate::outbox::notices::ask::Ask;
use crate::outbox::notices::download::DownloadNotice;
use crate::outbox::notices::lost::LostNotice;
use crate::outbox::notices::notification::Notification;
use crate::outbox::notices::recall::RecallNotice;
use crate::outbox::notices::reminder::Reminder;
use crate::outbox::notices::unopened::Unopened;
use crate::outbox::notices::{Notice, ToSender};
use crate::outbox::{Context, Outbox, SenderCard};
use crate::secret::{Keys, LinkKey};
use crate::settings::Organisation;
use crate::store::{NewItem, Recipient, StoreError, Transfer};
use crate::transfer::{action, link};

/// Writes mails about one transfer.
pub struct Mails<'a> {
    pub(super) organisation: &'a Organisation,
    pub(super) keys: &'a Keys,
    pub(super) transfer: &'a Transfer,
    pub(super) now: Timestamp,
}

/// What a recipient has downloaded by now, for the mail to the sender.
#[derive(Clone, Debug, Default)]
pub struct Downloaded {
    /// Parts, each once.
    pub parts: Vec<u32>,
    /// When the last of them was downloaded.
    pub last: Timestamp,
    /// Names of those just downloaded, where they may be told.
    pub names: Vec<String>,
    /// The subject of the message, while a recipient has it open.
    pub subject: Option<String>,
}

impl Mails<'_> {
    /// The notification once more: the same link, in the name of the sender as before.
    pub fn notification(&self, link: &Link) -> Result<NewItem> {
        self.invitation(link, false)
    }

    /// The same, because the transfer has a new date.
    pub fn extended(&self, link: &Link) -> Result<NewItem> {
        self.invitation(link, true)
    }

    fn invitation(&self, link: &Link, is_extended: bool) -> Result<NewItem> {
        let (transfer, sender) = (self.transfer, self.sender_card());
        let recipient = EnvelopeRecipient::from(self.recipient(link)?.address.clone());
        let mark = link::return_mark(&self.keys.link, link);
        self.to_recipient(&Notification {
            reverse_path: &self.reverse_path(),
            parameters: &MailParameters::default(),
            recipient: &recipient,
            sender: &sender,
            link,
            token: &link::token(&self.link_key()?, link),
            expires: transfer.expires,
            password_needed: transfer.password,
            reply_enabled: self.organisation.reply.enabled,
            is_extended,
            subject: None,
            fields: self.fields(&sender, &recipient.address).return_mark(&mark),
        })
    }

    /// To each of these: there is nothing to open any more. Nobody, where there is no sender to name.
    pub fn recalls(&self, links: &[Link]) -> Result<Vec<NewItem>> {
        if self.transfer.sender.is_none() {
            return Ok(Vec::new());
        }
        let sender = self.sender_card();
        links.iter().map(|link| self.recall(link, &sender)).collect()
    }

    fn recall(&self, link: &Link, sender: &SenderCard) -> Result<NewItem> {
        let recipient = &self.recipient(link)?.address;
        let (message_id, sent) = (self.transfer.message_id.as_deref(), self.transfer.created);
        self.to_recipient(&RecallNotice { sender, recipient, link, message_id, sent })
    }

    /// To a recipient who has not opened it.
    pub fn reminder(&self, recipient: u16) -> Result<NewItem> {
        let (transfer, sender) = (self.transfer, self.sender_card());
        let link = Link { transfer: transfer.id.clone(), recipient };
        let recipient = &self.recipient(&link)?.address;
        self.to_recipient(&Reminder {
            reverse_path: &self.reverse_path(),
            recipient,
            sender: &sender,
            link: &link,
            token: &link::token(&self.link_key()?, &link),
            sent: transfer.created,
            expires: transfer.expires,
            password_needed: transfer.password,
            fields: self.fields(&sender, recipient),
        })
    }

    /// To the sender: `recipient` came too late.
    pub fn ask(&self, recipient: &Address) -> Result<NewItem> {
        let expired = self.transfer.expires;
        let renewable = self.transfer.renewable_until(
            self.organisation.seal.grace_days,
            &self.organisation.zone,
            self.now,
        );
        self.to_sender(&Ask { to: self.sender(None)?, recipient, expired, renewable })
    }

    /// To the sender: these have not opened it, and it will soon be gone.
    pub fn unopened(&self, recipients: &[u16]) -> Result<NewItem> {
        let is_one = |one: &&Recipient| recipients.contains(&one.number);
        let addresses: Vec<Address> =
            self.transfer.recipients.iter().filter(is_one).map(|one| one.address.clone()).collect();
        let expires = self.transfer.expires;
        self.to_sender(&Unopened { to: self.sender(None)?, recipients: &addresses, expires })
    }

    /// To the sender: so much was downloaded through this link by now.
    pub fn download(&self, link: &Link, downloaded: &Downloaded) -> Result<NewItem> {
        let recipient = &self.recipient(link)?.address;
        let Downloaded { parts, last, names, subject } = downloaded;
        let of = self.transfer.files;
        let files = parts.iter().filter(|part| (1..=of).contains(*part)).count();
        let message = files < parts.len();
        self.to_sender(&DownloadNotice {
            to: self.sender(subject.as_deref())?,
            recipient,
            time: *last,
            files,
            of,
            message,
            names,
        })
    }

    /// To the sender: a part of it was lost, and this recipient could not read it.
    pub fn lost(&self, link: &Link) -> Result<NewItem> {
        let recipient = &self.recipient(link)?.address;
        self.to_sender(&LostNotice { to: self.sender(None)?, recipient })
    }

    /// `subject` is that of the message, while somebody has it open: the row does not have it.
    fn sender<'a>(&'a self, subject: Option<&'a str>) -> Result<ToSender<'a>> {
        let (transfer, sent) = (&self.transfer.id, self.transfer.created);
        let sender = self.transfer.sender.as_ref().ok_or(ActionError::Closed)?;
        let status = action::status_link(&self.keys.action, &self.organisation.public_url, transfer);
        Ok(ToSender { sender, transfer, sent, subject, status })
    }

    fn to_sender(&self, notice: &impl Notice) -> Result<NewItem> {
        let context = Context::new(self.organisation, None, self.now);
        Ok(self.outbox().item(&context, notice)?)
    }

    /// In the language that the sender chose for their recipients.
    fn to_recipient(&self, notice: &impl Notice) -> Result<NewItem> {
        let context = Context::new(self.organisation, self.transfer.language, self.now);
        Ok(self.outbox().item(&context, notice)?)
    }

    /// In the row, whatever its size: none of these mails is large.
    fn outbox(&self) -> Outbox<'_> {
        Outbox { body_key: &self.keys.body, link_key: &self.keys.link, blobs: None }
    }

    /// The link stays what it was, whatever the current key is.
    fn link_key(&self) -> Result<LinkKey> {
        Ok(self.keys.link.of(self.transfer.generation).ok_or(StoreError::NoMasterKey)?)
    }

    fn recipient(&self, link: &Link) -> Result<&Recipient> {
        let mut recipients = self.transfer.recipients.iter();
        let found = recipients.find(|recipient| recipient.number == link.recipient);
        Ok(found.ok_or(StoreError::Corrupt("recipient number"))?)
    }

    fn reverse_path(&self) -> ReversePath {
        self.transfer.sender.clone().map_or(ReversePath::Null, ReversePath::Address)
    }

    /// As in the first notification, as far as the database knows.
    fn sender_card(&self) -> SenderCard {
        let Transfer { sender, on_behalf_of, .. } = self.transfer;
        SenderCard::of_transfer(sender.as_ref(), on_behalf_of, self.organisation)
    }

    /// The header of the original made anew, but for the thread: an answer by mail to this mail goes on with that of
    /// the original. So it is shown beside the first one, and what staff answer in turn is sealed.
    fn fields(&self, sender: &SenderCard, to: &Address) -> Fields {
        let name = Some(sender.name.as_str()).filter(|name| *name != sender.email.as_str());
        let id = format!("{}.{}", self.transfer.id, QueueId::random());
        let reply_to = self.transfer.reply_to.iter().map(|address| Mailbox::from(address.clone()));
        Fields::default()
            .mailbox("From", name, sender.email.as_str())
            .addresses("To", std::slice::from_ref(to))
            .date(self.now)
            .message_id(&id, &self.organisation.hostname)
            .thread(self.transfer.message_id.as_deref())
            .mailboxes("Reply-To", reply_to, sender.email.needs_smtputf8() || to.needs_smtputf8())
    }
}
