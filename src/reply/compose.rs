//! What a checked answer becomes: one ordinary mail, or a transfer of its own, and a confirmation. Blocking; called
//! by `send`, which commits it. Files go from sealed pieces to sealed mail in blocks, whatever their size (H15).

use std::net::IpAddr;

use super::check::Checked;
use super::files::{FileReader, LateHash, sha256};
use super::impersonation::is_impersonation;
use super::original::Original;
use super::recipients::key;
use super::types::{Preview, SentFile, SentReply};
use super::vault::Vault;
use super::{Replies, ReplyError, Result};
use crate::address::Address;
use crate::audit::{Action, Event, EventResult, MailLine};
use crate::clock::{Timestamp, rfc5322};
use crate::config::{ByteSize, Direction, PasswordMode, ReplyDelivery};
use crate::id::{Link, QueueId};
use crate::message::kind::is_active_type;
use crate::outbox::attachment::{Attachment, encoded_size};
use crate::outbox::compose::Wording;
use crate::outbox::notices::Notice;
use crate::outbox::notices::confirmation::{Checksum, Confirmation};
use crate::outbox::notices::reply::{Author, FilesLink, Reply, ReplyHeader, reply_id};
use crate::outbox::notices::reply_notice::ReplyNotice;
use crate::outbox::{Context, Outbox};
use crate::secret::Secret;
use crate::settings::Organisation;
use crate::store::{Acceptance, NewItem, UploadRow};
use crate::transfer::access::Grant;
use crate::transfer::sealing::{self, FileContent, FileData, SealRequest, Sealed};

/// The largest mail where the next hop has named no limit.
const USUAL_MAIL: u64 = 25 * 1024 * 1024;
/// Bytes that the header of an attachment and the line for it may take.
const AROUND_FILE: u64 = 2048;
/// Bytes of the mail around text and files.
const AROUND_MAIL: u64 = 32 * 1024;

/// An answer that was checked, with all that is needed to compose it.
pub(super) struct CheckedReply {
    pub replies: Replies,
    pub grant: Grant,
    pub vault: Vault,
    pub checked: Checked,
    pub original: Original,
    pub files: Vec<File>,
    pub revision: u64,
    pub id: QueueId,
    pub now: Timestamp,
    pub client: IpAddr,
}

/// A file of the answer.
pub(super) struct File {
    /// Unique within the answer.
    pub name: String,
    pub media_type: String,
    pub size: u64,
    pub row: UploadRow,
    pub hash: LateHash,
}

/// The hashes of the Message-IDs of what was composed.
pub(super) type ThreadHashes = Vec<[u8; 32]>;

impl CheckedReply {
    fn organisation(&self) -> &Organisation {
        &self.replies.organisation
    }

    /// Everything that the answer becomes. On an error, what `acceptance` holds by then is the caller's to discard.
    pub fn fill(&self, acceptance: &mut Acceptance) -> Result<(SentReply, ThreadHashes)> {
        let (thread, password) = match self.organisation().reply.delivery {
            ReplyDelivery::Mail => (self.fill_mail(acceptance)?, None),
            ReplyDelivery::Transfer => self.fill_transfer(acceptance)?,
        };
        let mut sent = self.summary()?;
        sent.password = password;
        if let Some(to) = &sent.confirmation {
            acceptance.items.push(self.confirmation(to, &sent)?);
        }
        // An answer is a message of its own; otherwise these would be found as mails about what it answers.
        for item in &mut acceptance.items {
            item.track.tracking = Some(self.id.clone());
        }
        let result = EventResult::Answered { answer: self.id.clone(), recipients: sent.recipients.len() };
        let replied = self.replies.event(Action::Reply, self.grant.link(), result, self.client);
        let to: Vec<String> = sent.recipients.iter().map(ToString::to_string).collect();
        acceptance.events.push(replied.about(self.line().for_all(&to)));
        Ok((sent, thread))
    }

    /// One mail to everybody; what is too large for it goes into a transfer without a password, whose link is in the
    /// mail.
    fn fill_mail(&self, acceptance: &mut Acceptance) -> Result<ThreadHashes> {
        let (attached, linked): (Vec<&File>, Vec<&File>) = self.plan();
        let mut link = None;
        if !linked.is_empty() {
            let recipients: Vec<Address> = self.checked.to.iter().take(1).cloned().collect();
            let sealed = self.seal(&linked, recipients, PasswordMode::None)?;
            link = sealed.tokens.into_iter().next();
            acceptance.events.push(self.event(Action::Seal, sealed.transfer.id.to_string()));
            acceptance.transfer = Some(sealed.transfer);
        }
        let names: Vec<&str> = linked.iter().map(|file| file.name.as_str()).collect();
        let link =
            link.as_ref().map(|token| FilesLink { token, expires: self.checked.expires, names: &names });
        let attachments = attached.iter().map(|file| self.attachment(file)).collect();
        let (outbox, recipients) = (self.replies.outbox(), self.checked.recipients());
        let (context, reply) = (self.context(), self.reply(&recipients, link));
        let blobs = self.replies.service.parts.blobs.as_ref();
        acceptance.items.push(outbox.reply(&context, self.id.clone(), &reply, attachments, blobs)?);
        Ok(vec![self.thread_hash(&self.id)])
    }

    /// Which files travel in the mail: the smallest, as many as fit.
    fn plan(&self) -> (Vec<&File>, Vec<&File>) {
        let most = self.organisation().reply.max_mail_size.map(ByteSize::bytes);
        let announced = || {
            let next_hop = self.organisation().relay.next_hop(Direction::Inside);
            self.replies.service.parts.largest.octets(&next_hop.smarthost)
        };
        let most = most.or_else(announced).unwrap_or(USUAL_MAIL);
        // The text is there twice, as text and as HTML, each in quoted-printable at worst.
        let text = 8 * self.checked.message.len() as u64;
        let mut left = most.saturating_sub(AROUND_MAIL + text + AROUND_FILE * self.files.len() as u64);
        let mut sizes: Vec<&File> = self.files.iter().collect();
        sizes.sort_by_key(|file| file.size);
        let mut fits = Vec::new();
        for file in sizes {
            let encoded = encoded_size(file.size);
            if encoded > left {
                break;
            }
            left -= encoded;
            fits.push(&file.row.id);
        }
        self.files.iter().partition(|file| fits.contains(&&file.row.id))
    }

    /// A transfer for everybody, and a notice with an own link for each.
    fn fill_transfer(&self, acceptance: &mut Acceptance) -> Result<(ThreadHashes, Option<Secret>)> {
        let files: Vec<&File> = self.files.iter().collect();
        let Sealed { transfer, password, tokens } =
            self.seal(&files, self.checked.recipients(), PasswordMode::Generated)?;
        let (mut thread, context) = (Vec::new(), self.context());
        let outbox =
            Outbox { blobs: Some(self.replies.service.parts.blobs.as_ref()), ..self.replies.outbox() };
        acceptance.events.push(self.event(Action::Seal, transfer.id.to_string()));
        let transfer = acceptance.transfer.insert(transfer);
        for (recipient, token) in transfer.recipients.iter().zip(&tokens) {
            let link = Link { transfer: transfer.id.clone(), recipient: recipient.number };
            let item = outbox.item(&context, &self.notice(&recipient.address, &link, Some(token)))?;
            acceptance.events.push(self.event(Action::Notify, link.to_string()));
            thread.push(self.thread_hash(&item.id));
            acceptance.items.push(item);
        }
        Ok((thread, password))
    }

    /// Seals files, and the message where it is not in the mail itself.
    fn seal(&self, files: &[&File], recipients: Vec<Address>, password: PasswordMode) -> Result<Sealed> {
        let parts = &self.replies.service.parts;
        let (checked, verified) = (&self.checked, &self.checked.verified);
        let original = self.reply(&[], None).compose(&self.context(), &self.id)?;
        let message = Some(checked.message.as_bytes()).filter(|message| !message.is_empty());
        let request = SealRequest {
            original: original.as_slice().into(),
            subject: self.original.thread.subject.clone(),
            from_name: Some(checked.name.clone()).filter(|_| !self.is_claimed()),
            from_address: Some(verified.address.to_string()),
            co_authors: Vec::new(),
            agent: None,
            on_behalf_of: Vec::new(),
            message_id: None,
            date: Some(rfc5322(self.now)),
            text: message.map(Into::into),
            html: None,
            files: files.iter().map(|file| self.content(file)).collect(),
            notes: Vec::new(),
            organisation: self.organisation().id(),
            // Without the wish to hear of downloads nothing about it is ever mailed outside.
            sender: Some(verified.address.clone()).filter(|_| checked.settings.tell_downloads),
            automatic: false,
            language: checked.settings.language,
            download_notice: checked.settings.tell_downloads,
            file_names: checked.settings.show_names,
            recipients,
            created: self.now,
            expires: self.checked.expires,
            zone: self.organisation().zone.clone(),
            password,
            chosen: checked.password.clone(),
            thread: Vec::new(),
            reply_to: Vec::new(),
            answers: Vec::new(),
        };
        Ok(sealing::seal(parts.blobs.as_ref(), &parts.keys.link, request)?)
    }

    fn content<'a>(&self, file: &File) -> FileContent<'a> {
        FileContent {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            content_id: None,
            content_location: None,
            inline: false,
            data: FileData::Stream(Box::new(self.reader(file))),
        }
    }

    fn reader(&self, file: &File) -> FileReader {
        let blobs = self.replies.service.parts.blobs.clone();
        FileReader::new(self.vault.clone(), blobs, &file.row, file.name.clone(), file.hash.clone())
    }

    fn context(&self) -> Context<'_> {
        Context::new(self.organisation(), self.checked.settings.language, self.now)
    }

    fn header(&self) -> ReplyHeader<'_> {
        let Checked { to, cc, .. } = &self.checked;
        let tag = self.organisation().policy.seal_tag();
        ReplyHeader { author: self.author(), to, cc, thread: &self.original.thread, tag }
    }

    fn reply<'a>(&'a self, recipients: &'a [Address], link: Option<FilesLink<'a>>) -> Reply<'a> {
        let (transfer, message) = (&self.grant.transfer().id, self.checked.message.as_str());
        Reply { header: self.header(), recipients, transfer, message, link }
    }

    fn notice<'a>(
        &'a self,
        recipient: &'a Address,
        link: &'a Link,
        token: Option<&'a Secret>,
    ) -> ReplyNotice<'a> {
        ReplyNotice { header: self.header(), recipient, link, token, expires: self.checked.expires }
    }

    fn thread_hash(&self, id: &QueueId) -> [u8; 32] {
        let key = &self.replies.service.parts.keys.thread;
        self.replies.scope().thread_mark(key, &reply_id(id, &self.organisation().hostname))
    }

    fn author(&self) -> Author<'_> {
        let Checked { name, phone, verified, .. } = &self.checked;
        let (address, made_for) = (&verified.address, &self.grant.recipient().address);
        let invited = Some(made_for).filter(|made_for| key(made_for) != key(address));
        Author { name, is_claimed: self.is_claimed(), address, invited, phone }
    }

    /// Whether the name would mislead staff (C40).
    fn is_claimed(&self) -> bool {
        let Checked { name, verified, .. } = &self.checked;
        is_impersonation(name, &verified.address, self.organisation())
    }

    fn attachment(&self, file: &File) -> Attachment {
        // What it is called is what it is: a page that is declared beside an innocent name stays a file.
        let media_type =
            if is_active_type(&file.media_type) { "application/octet-stream" } else { &file.media_type };
        Attachment {
            name: file.name.clone(),
            media_type: media_type.to_owned(),
            size: file.size,
            source: Box::new(self.reader(file)),
        }
    }

    fn event(&self, action: Action, object: String) -> Event {
        let event = self.replies.event(action, self.grant.link(), EventResult::Ok, self.client);
        Event { object, ..event.about(vec![self.line()]) }
    }

    /// An answer is a message of its own; the transfer that it answers is named in every line.
    fn line(&self) -> MailLine {
        MailLine {
            tracking: self.id.to_string(),
            transfer: Some(self.grant.transfer().id.to_string()),
            ..MailLine::default()
        }
    }

    fn summary(&self) -> Result<SentReply> {
        let unread = || ReplyError::Trouble("a file was not read to its end".to_owned());
        let file = |file: &File| {
            let sha256 = file.hash.get().ok_or_else(unread)?;
            Ok(SentFile { name: file.name.clone(), size: file.size, sha256 })
        };
        let checked = &self.checked;
        Ok(SentReply {
            sealed_password: None,
            page: checked.page.clone(),
            at: self.now,
            files: self.files.iter().map(file).collect::<Result<_>>()?,
            recipients: checked.recipients(),
            message: checked.message.clone(),
            message_sha256: sha256(checked.message.as_bytes()),
            confirmation: Some(checked.verified.address.clone()).filter(|_| checked.settings.confirm),
            password: None,
        })
    }

    fn confirmation(&self, to: &Address, sent: &SentReply) -> Result<NewItem> {
        let settings = &self.checked.settings;
        let message = Checksum { name: "", size: sent.message.len() as u64, sha256: &sent.message_sha256 };
        let files: Vec<Checksum<'_>> = sent.files.iter().map(SentFile::checksum).collect();
        let confirmation = Confirmation {
            to,
            transfer: &self.grant.transfer().id,
            recipients: &sent.recipients,
            message: Some(message).filter(|_| !sent.message.is_empty()),
            files: &files,
            show_names: settings.show_names,
        };
        let context = Context::new(self.organisation(), settings.page_language, self.now);
        Ok(self.replies.outbox().item(&context, &confirmation)?)
    }

    pub fn preview(&self) -> Result<Preview> {
        let context = self.context();
        let organisation = context.organisation;
        let from = format!("{} <noreply@{}>", self.author().shown(organisation), organisation.hostname);
        let Wording { subject, text, html } = match organisation.reply.delivery {
            ReplyDelivery::Mail => self.reply(&[], None).wording(&context)?,
            ReplyDelivery::Transfer => {
                self.notice(&self.grant.recipient().address, self.grant.link(), None).wording(&context)?
            }
        };
        let Checked { to, cc, bcc, .. } = &self.checked;
        Ok(Preview { from, subject, html, text, to: to.clone(), cc: cc.clone(), bcc: bcc.clone() })
    }
}

impl SentFile {
    fn checksum(&self) -> Checksum<'_> {
        Checksum { name: &self.name, size: self.size, sha256: &self.sha256 }
    }
}
