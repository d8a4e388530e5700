//! The mails that actions send, ready for the queue. What they are made of is what the database has: name, phone
//! and subject of the original are only inside sealed parts, so the staff list must do for the sender.

use mail_builder::headers::address::Address as AddressField;
use mail_builder::headers::raw::Raw;

use super::{ActionError, Result};
use crate::address::{Address, ReversePath};
use crate::clock::{Timestamp, rfc5322};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, Ret};
use crate::id::{Link, QueueId};
use crate::locale::Language;
use crate::message::crlf::CrlfBytes;
use crate::outbox::body;
use crate::outbox::compose::{write_field, write_reply_to, write_return_mark, write_thread};
use crate::outbox::notices::ask::{AskFacts, ask};
use crate::outbox::notices::download::{DownloadFacts, download};
use crate::outbox::notices::lost::{LostFacts, lost};
use crate::outbox::notices::notification::{NotificationFacts, notification};
use crate::outbox::notices::recall::{RecallFacts, recall};
use crate::outbox::notices::reminder::{ReminderFacts, reminder};
use crate::outbox::notices::unopened::{UnopenedFacts, unopened};
use crate::outbox::{NoticeError, SenderCard, SenderFacts, origin};
use crate::secret::Keys;
use crate::settings::Organisation;
use crate::store::{Kind, NewItem, Recipient, StoreError, Transfer};
use crate::transfer::{action, link};

/// Writes mails about one transfer.
pub struct Mails<'a> {
    pub(super) organisation: &'a Organisation,
    pub(super) keys: &'a Keys,
    pub(super) transfer: &'a Transfer,
    pub(super) now: Timestamp,
}

/// What a recipient has fetched by now, for the mail to the sender.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Parts, each once.
    pub parts: Vec<u32>,
    /// When the last of them was fetched.
    pub last: Timestamp,
    /// Names of those just fetched, where they may be told.
    pub names: Vec<String>,
}

impl Mails<'_> {
    /// The notification once more: the same link, in the name of the sender as before.
    pub fn notification(&self, link: &Link) -> Result<NewItem> {
        let (organisation, transfer) = (self.organisation, self.transfer);
        let recipient = self.recipient(link)?;
        let sender = self.sender_card();
        let mail = notification(&NotificationFacts {
            language: self.language(),
            organisation,
            public_url: &organisation.public_url,
            sender: &sender,
            recipient: &recipient.address,
            token: &link::token(&self.keys.link, link),
            transfer: &transfer.id,
            expires: transfer.expires,
            password_needed: transfer.password,
            reply_enabled: organisation.reply.enabled,
            subject: None,
            original: &self.marked_fields(link, &sender, &recipient.address),
        })?;
        let reverse_path = transfer.sender.clone().map_or(ReversePath::Null, ReversePath::Address);
        self.item(Kind::Notification, reverse_path, &recipient.address, Some(link), &mail)
    }

    /// To each of these: there is nothing to open any more. Nobody, where there is no sender to name.
    pub fn recalls(&self, links: &[Link]) -> Result<Vec<NewItem>> {
        let Some(sender) = &self.transfer.sender else { return Ok(Vec::new()) };
        links.iter().map(|link| self.recall(link, sender)).collect()
    }

    fn recall(&self, link: &Link, sender: &Address) -> Result<NewItem> {
        let (organisation, to) = (self.organisation, &self.recipient(link)?.address);
        let mail = recall(&RecallFacts {
            language: self.language(),
            organisation,
            hostname: &organisation.hostname,
            public_url: &organisation.public_url,
            sender,
            recipient: to,
            link,
            message_id: self.transfer.message_id.as_deref(),
            sent: self.transfer.created,
            now: self.now,
        })?;
        self.item(Kind::Recall, ReversePath::Null, to, Some(link), &mail)
    }

    /// To the sender: `recipient` came too late.
    pub fn ask(&self, sender: &Address, recipient: &Address) -> Result<NewItem> {
        let (organisation, transfer) = (self.organisation, self.transfer);
        let mail = ask(&AskFacts {
            language: organisation.language,
            organisation,
            hostname: &organisation.hostname,
            public_url: &organisation.public_url,
            sender,
            recipient,
            transfer: &transfer.id,
            sent: transfer.created,
            expired: transfer.expires,
            renewable: transfer.renewable(organisation.seal.grace_days, self.now),
            status: &action::status_link(&self.keys.action, &organisation.public_url, &transfer.id),
            id: QueueId::random().as_str(),
            now: self.now,
        })?;
        self.item(Kind::Ask, ReversePath::Null, sender, None, &mail)
    }

    /// To a recipient who has not opened it.
    pub fn reminder(&self, recipient: u16) -> Result<NewItem> {
        let (organisation, transfer) = (self.organisation, self.transfer);
        let link = Link { transfer: transfer.id.clone(), recipient };
        let recipient = self.recipient(&link)?;
        let sender = self.sender_card();
        let mail = reminder(&ReminderFacts {
            language: self.language(),
            organisation,
            public_url: &organisation.public_url,
            sender: &sender,
            recipient: &recipient.address,
            token: &link::token(&self.keys.link, &link),
            transfer: &transfer.id,
            sent: transfer.created,
            expires: transfer.expires,
            password_needed: transfer.password,
            fields: self.fields(&sender, &recipient.address),
        })?;
        let reverse_path = transfer.sender.clone().map_or(ReversePath::Null, ReversePath::Address);
        self.item(Kind::Reminder, reverse_path, &recipient.address, Some(&link), &mail)
    }

    /// To the sender: these have not opened it, and it will soon be gone.
    pub fn unopened(&self, recipients: &[u16]) -> Result<NewItem> {
        let is_one = |one: &&Recipient| recipients.contains(&one.number);
        let addresses: Vec<Address> =
            self.transfer.recipients.iter().filter(is_one).map(|one| one.address.clone()).collect();
        self.to_sender(Kind::Unopened, |to| {
            let (sent, expires) = (self.transfer.created, self.transfer.expires);
            unopened(&UnopenedFacts { to, recipients: &addresses, sent, expires })
        })
    }

    /// To the sender: so much was downloaded through this link by now.
    pub fn download(&self, link: &Link, fetched: &Fetched) -> Result<NewItem> {
        let recipient = &self.recipient(link)?.address;
        let of = self.transfer.files;
        let is_file = |part: &&u32| (1..=of).contains(*part);
        let files = fetched.parts.iter().filter(is_file).count();
        let message = files < fetched.parts.len();
        let (time, names) = (fetched.last, fetched.names.as_slice());
        self.to_sender(Kind::Download, |to| {
            download(&DownloadFacts { to, recipient, time, files, of, message, names })
        })
    }

    /// To the sender: a part of it was lost, and this recipient could not read it.
    pub fn lost(&self, link: &Link) -> Result<NewItem> {
        let (recipient, sent) = (&self.recipient(link)?.address, self.transfer.created);
        self.to_sender(Kind::Lost, |to| lost(&LostFacts { to, recipient, sent }))
    }

    fn to_sender(
        &self,
        kind: Kind,
        write: impl FnOnce(SenderFacts<'_>) -> std::result::Result<CrlfBytes, NoticeError>,
    ) -> Result<NewItem> {
        let organisation = self.organisation;
        let sender = self.transfer.sender.as_ref().ok_or(ActionError::Closed)?;
        let mail = write(SenderFacts {
            language: organisation.language,
            organisation,
            hostname: &organisation.hostname,
            public_url: &organisation.public_url,
            sender,
            transfer: &self.transfer.id,
            status: &action::status_link(&self.keys.action, &organisation.public_url, &self.transfer.id),
            id: QueueId::random().as_str(),
            now: self.now,
        })?;
        self.item(kind, ReversePath::Null, sender, None, &mail)
    }

    /// Of mails to recipients: what the sender chose, or the gateway's.
    fn language(&self) -> Language {
        self.transfer.language.unwrap_or(self.organisation.language)
    }

    fn recipient(&self, link: &Link) -> Result<&Recipient> {
        let mut recipients = self.transfer.recipients.iter();
        let found = recipients.find(|recipient| recipient.number == link.recipient);
        Ok(found.ok_or(StoreError::Corrupt("recipient number"))?)
    }

    /// As in the first notification, as far as the database knows.
    fn sender_card(&self) -> SenderCard {
        let address = self.transfer.sender.as_ref().unwrap_or(&self.organisation.postmaster);
        let mut card = SenderCard::new(address, None, self.organisation.staff.find(address));
        let switchboard = &self.organisation.phone;
        card.phone = card.phone.or_else(|| (!switchboard.is_empty()).then(|| switchboard.clone()));
        card
    }

    /// The same for a notification, whose delivery report closes the link.
    fn marked_fields(&self, link: &Link, sender: &SenderCard, to: &Address) -> Vec<u8> {
        let mut fields = self.fields(sender, to);
        write_return_mark(&mut fields, &link::return_mark(&self.keys.link, link));
        fields
    }

    /// What stood above the original, made anew, but for the thread: who answers this mail by mail goes on with that of
    /// the original. So it is shown beside the first one, and what staff answer in turn is sealed.
    fn fields(&self, sender: &SenderCard, to: &Address) -> Vec<u8> {
        let mut out = Vec::new();
        let name = Some(sender.name.as_str()).filter(|name| *name != sender.email.as_str());
        write_field(&mut out, "From", &AddressField::new_address(name, sender.email.as_str()));
        write_field(&mut out, "To", &Raw::new(format!("<{to}>")));
        write_field(&mut out, "Date", &Raw::new(rfc5322(self.now)));
        let id = format!("<{}.{}@{}>", self.transfer.id, QueueId::random(), self.organisation.hostname);
        write_field(&mut out, "Message-ID", &Raw::new(id));
        write_thread(&mut out, self.transfer.message_id.as_deref());
        let reply_to: Vec<_> = self.transfer.reply_to.iter().map(|address| (None, address)).collect();
        write_reply_to(&mut out, &reply_to);
        out
    }

    /// In the row whatever its size: none of these mails is large.
    fn item(
        &self,
        kind: Kind,
        reverse_path: ReversePath,
        to: &Address,
        link: Option<&Link>,
        mail: &CrlfBytes,
    ) -> Result<NewItem> {
        let smtputf8 = to.needs_smtputf8() || reverse_path.address().is_some_and(Address::needs_smtputf8);
        let parameters = MailParameters { smtputf8, ret: Some(Ret::Headers), ..MailParameters::default() };
        let recipients = vec![EnvelopeRecipient::from(to.clone())];
        let id = QueueId::random();
        let mail = origin::marked(&self.keys.link, &id, mail);
        Ok(NewItem {
            id,
            kind,
            envelope: Envelope { reverse_path, parameters, recipients },
            body: body::seal(&self.keys.body, &mail).map_err(StoreError::from)?,
            link: link.cloned(),
            created: self.now,
        })
    }
}
