//! What a checked answer becomes: one ordinary mail, or a transfer of its own, and a confirmation. Blocking; called
//! by `send`, which commits it. Files go from sealed pieces to sealed mail in blocks, whatever their size (H15).

use std::io::{self, Cursor, Read};
use std::net::IpAddr;

use super::check::Checked;
use super::files::{Base64Lines, FileReader, LateHash, encoded_size, sha256};
use super::impersonation::is_impersonation;
use super::original::Original;
use super::recipients::key;
use super::types::{Preview, Sent, SentFile};
use super::vault::Vault;
use super::{Replies, ReplyError, Result};
use crate::address::{Address, ReversePath};
use crate::audit::{Action, Event};
use crate::clock::{Timestamp, days_later, rfc5322};
use crate::config::{ByteSize, Direction, PasswordMode, ReplyDelivery};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, Ret};
use crate::id::{Link, QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::message::kind::is_active_type;
use crate::message::traits::Traits;
use crate::outbox::body;
use crate::outbox::compose::{Attachment, Segment};
use crate::outbox::notices::confirmation::{Checksum, ConfirmationFacts, confirmation};
use crate::outbox::notices::reply::{self, Author, FilesLink, Letter, ReplyFacts, reply, reply_id};
use crate::outbox::notices::reply_notice::{self, ReplyNoticeFacts, reply_notice};
use crate::outbox::origin;
use crate::secret::Secret;
use crate::settings::Organisation;
use crate::store::{Acceptance, Body, Kind, NewItem, UploadRow};
use crate::transfer::access::Grant;
use crate::transfer::sealing::{self, Content, Data, SealRequest, Sealed};

/// The largest mail where the next hop has named no limit.
const USUAL_MAIL: u64 = 25 * 1024 * 1024;
/// Octets that the header of an attachment and the line for it may take.
const AROUND_FILE: u64 = 2048;
/// Octets of the mail around text and files.
const AROUND_MAIL: u64 = 32 * 1024;

/// An answer that was checked, with all that is needed to compose it.
pub(super) struct Answer {
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

impl Answer {
    fn organisation(&self) -> &Organisation {
        &self.replies.organisation
    }

    /// Everything that the answer becomes. On an error, what `acceptance` holds by then is the caller's to discard.
    pub fn fill(&self, acceptance: &mut Acceptance) -> Result<(Sent, ThreadHashes)> {
        let (thread, password) = match self.organisation().reply.delivery {
            ReplyDelivery::Mail => (self.fill_mail(acceptance)?, None),
            ReplyDelivery::Transfer => self.fill_transfer(acceptance)?,
        };
        let mut sent = self.summary()?;
        sent.password = password;
        if let Some(to) = &sent.confirmation {
            acceptance.items.push(self.confirmation(to, &sent)?);
        }
        let result = format!("ok {} to {}", self.id, sent.recipients.len());
        acceptance.events.push(self.replies.event(Action::Reply, self.grant.link(), &result, self.client));
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
        let link = link.as_ref().map(|token| FilesLink { token, expires: self.expires(), names: &names });
        let attachments: Vec<Attachment<'_>> = attached.iter().map(|file| file.attachment()).collect();
        let mut segments = reply(&self.facts(&self.id, link), &attachments)?;
        if let Some(Segment::Octets(first)) = segments.first_mut() {
            *first = origin::marked(&self.replies.service.parts.keys.link, &self.id, first);
        }
        let body = self.body(&segments, &attached)?;
        let recipients = self.checked.recipients();
        acceptance.items.push(self.item(self.id.clone(), recipients, body, None));
        Ok(vec![
            self.replies.service.parts.keys.thread.hash(&reply_id(&self.id, &self.organisation().hostname)),
        ])
    }

    /// Which files travel in the mail: the smallest, as many as fit.
    fn plan(&self) -> (Vec<&File>, Vec<&File>) {
        let most = self.organisation().reply.max_mail_size.map(ByteSize::bytes);
        let announced = || {
            let next_hop = self.replies.settings.relay.next_hop(Direction::Inside);
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
        let mut thread = Vec::new();
        acceptance.events.push(self.event(Action::Seal, transfer.id.to_string()));
        let transfer = acceptance.transfer.insert(transfer);
        for (recipient, token) in transfer.recipients.iter().zip(&tokens) {
            let id = QueueId::random();
            let link = Link { transfer: transfer.id.clone(), recipient: recipient.number };
            let mail = reply_notice(&self.notice_facts(&id, &transfer.id, Some(token)))?;
            let parts = &self.replies.service.parts;
            let mail = origin::marked(&parts.keys.link, &id, &mail);
            let body = body::store_body(&parts.keys.body, parts.blobs.as_ref(), &mail)?;
            acceptance.events.push(self.event(Action::Notify, link.to_string()));
            thread.push(parts.keys.thread.hash(&reply_id(&id, &self.organisation().hostname)));
            acceptance.items.push(self.item(id, vec![recipient.address.clone()], body, Some(link)));
        }
        Ok((thread, password))
    }

    /// Files, and the message where the mail will not have it.
    fn seal(&self, files: &[&File], recipients: Vec<Address>, password: PasswordMode) -> Result<Sealed> {
        let parts = &self.replies.service.parts;
        let (checked, verified) = (&self.checked, &self.checked.verified);
        let original = whole(&reply(&self.facts(&self.id, None), &[])?);
        let message = Some(checked.message.as_bytes()).filter(|message| !message.is_empty());
        let request = SealRequest {
            original: &original,
            subject: self.original.thread.subject.clone(),
            from_name: Some(checked.name.clone()).filter(|_| !self.is_claimed()),
            from_address: Some(verified.address.to_string()),
            message_id: None,
            date: Some(rfc5322(self.now)),
            text: message.map(Into::into),
            html: None,
            files: files.iter().map(|file| self.content(file)).collect(),
            // Without the wish to hear of downloads nothing about it is ever mailed outside.
            sender: Some(verified.address.clone()).filter(|_| checked.settings.tell_downloads),
            automatic: false,
            language: checked.settings.language,
            download_notice: checked.settings.tell_downloads,
            file_names: checked.settings.show_names,
            recipients,
            created: self.now,
            expires: self.expires(),
            password,
            chosen: checked.password.clone(),
            thread: Vec::new(),
            reply_to: Vec::new(),
            answers: Vec::new(),
        };
        Ok(sealing::seal(parts.blobs.as_ref(), &parts.keys.link, request)?)
    }

    fn content<'a>(&self, file: &File) -> Content<'a> {
        Content {
            name: file.name.clone(),
            media_type: file.media_type.clone(),
            content_id: None,
            inline: false,
            data: Data::Stream(Box::new(self.reader(file))),
        }
    }

    fn reader(&self, file: &File) -> FileReader {
        let blobs = self.replies.service.parts.blobs.clone();
        FileReader::new(self.vault.clone(), blobs, &file.row, file.name.clone(), file.hash.clone())
    }

    fn expires(&self) -> Timestamp {
        days_later(self.now, self.checked.expiry_days)
    }

    fn letter<'a>(&'a self, id: &'a QueueId) -> Letter<'a> {
        let (organisation, checked) = (self.organisation(), &self.checked);
        Letter {
            language: checked.settings.language.unwrap_or(organisation.language),
            organisation,
            hostname: &organisation.hostname,
            public_url: &organisation.public_url,
            author: self.author(),
            to: &checked.to,
            cc: &checked.cc,
            thread: &self.original.thread,
            tag: organisation.policy.seal_tag(),
            id,
            now: self.now,
        }
    }

    fn facts<'a>(&'a self, id: &'a QueueId, link: Option<FilesLink<'a>>) -> ReplyFacts<'a> {
        let (transfer, message) = (&self.grant.transfer().id, self.checked.message.as_str());
        ReplyFacts { letter: self.letter(id), transfer, message, link }
    }

    fn notice_facts<'a>(
        &'a self,
        id: &'a QueueId,
        transfer: &'a TransferId,
        token: Option<&'a Secret>,
    ) -> ReplyNoticeFacts<'a> {
        ReplyNoticeFacts { letter: self.letter(id), transfer, token, expires: self.expires() }
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

    /// The mail as it waits in the queue: text, and files as they are read.
    fn body(&self, segments: &[Segment], files: &[&File]) -> Result<Body> {
        let mut traits = Traits::default();
        let mut source: Box<dyn Read + Send> = Box::new(io::empty());
        for segment in segments {
            match segment {
                Segment::Octets(octets) => {
                    let own = Traits::of(octets.as_slice());
                    // The header of the mail is in the first of them.
                    traits.eight_bit_header |= own.eight_bit_header && traits.size == 0;
                    traits.eight_bit |= own.eight_bit;
                    traits.size += own.size;
                    source = Box::new(source.chain(Cursor::new(octets.as_slice().to_vec())));
                }
                Segment::File(number) => {
                    let missing = || ReplyError::Trouble("a file of the mail is missing".to_owned());
                    let file = files.get(*number).ok_or_else(missing)?;
                    traits.size += encoded_size(file.size);
                    source = Box::new(source.chain(Base64Lines::new(self.reader(file))));
                }
            }
        }
        let parts = &self.replies.service.parts;
        Ok(body::store_stream(&parts.keys.body, parts.blobs.as_ref(), traits, &mut source)?)
    }

    /// The reverse path is for failure reports alone; see [`Kind::Reply`]. Whoever reports later is asked to leave the
    /// answer itself out of it (RFC 3461 4.3).
    fn item(&self, id: QueueId, recipients: Vec<Address>, body: Body, link: Option<Link>) -> NewItem {
        let author = &self.checked.verified.address;
        let smtputf8 = recipients.iter().chain([author]).any(Address::needs_smtputf8);
        let envelope = Envelope {
            reverse_path: ReversePath::Address(author.clone()),
            parameters: MailParameters { smtputf8, ret: Some(Ret::Headers), ..MailParameters::default() },
            recipients: recipients.into_iter().map(EnvelopeRecipient::from).collect(),
        };
        NewItem { id, kind: Kind::Reply, envelope, body, link, created: self.now }
    }

    fn event(&self, action: Action, object: String) -> Event {
        Event { object, ..self.replies.event(action, self.grant.link(), "ok", self.client) }
    }

    fn summary(&self) -> Result<Sent> {
        let unread = || ReplyError::Trouble("a file was not read to its end".to_owned());
        let file = |file: &File| {
            let sha256 = file.hash.get().ok_or_else(unread)?;
            Ok(SentFile { name: file.name.clone(), size: file.size, sha256 })
        };
        let checked = &self.checked;
        Ok(Sent {
            at: self.now,
            files: self.files.iter().map(file).collect::<Result<_>>()?,
            recipients: checked.recipients(),
            message: checked.message.clone(),
            message_sha256: sha256(checked.message.as_bytes()),
            confirmation: Some(checked.verified.address.clone()).filter(|_| checked.settings.confirm),
            password: None,
        })
    }

    fn confirmation(&self, to: &Address, sent: &Sent) -> Result<NewItem> {
        let (organisation, id) = (self.organisation(), QueueId::random());
        let settings = &self.checked.settings;
        let message = Checksum { name: "", size: sent.message.len() as u64, sha256: &sent.message_sha256 };
        let files: Vec<Checksum<'_>> = sent.files.iter().map(SentFile::checksum).collect();
        let mail = confirmation(&ConfirmationFacts {
            language: settings.page_language.unwrap_or(organisation.language),
            organisation,
            hostname: &organisation.hostname,
            public_url: &organisation.public_url,
            to,
            transfer: &self.grant.transfer().id,
            recipients: &sent.recipients,
            message: Some(message).filter(|_| !sent.message.is_empty()),
            files: &files,
            show_names: settings.show_names,
            id: &id,
            now: self.now,
        })?;
        self.replies.notice(id, Kind::Confirmation, to, &mail)
    }

    pub fn preview(&self) -> Result<Preview> {
        let from = format!(
            "{} <noreply@{}>",
            self.author().shown(self.organisation()),
            self.organisation().hostname
        );
        let (subject, text, html) = match self.organisation().reply.delivery {
            ReplyDelivery::Mail => {
                let written = reply::write(&self.facts(&self.id, None))?;
                (written.subject, written.text, written.html)
            }
            ReplyDelivery::Transfer => {
                reply_notice::write(&self.notice_facts(&self.id, &self.grant.transfer().id, None))?
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

impl File {
    fn attachment(&self) -> Attachment<'_> {
        // What it is called is what it is: a page that is declared beside an innocent name stays a file.
        let media_type =
            if is_active_type(&self.media_type) { "application/octet-stream" } else { &self.media_type };
        Attachment { name: &self.name, media_type }
    }
}

/// A mail without files.
fn whole(segments: &[Segment]) -> Vec<u8> {
    let octets = |segment: &Segment| match segment {
        Segment::Octets(octets) => CrlfBytes::as_slice(octets).to_vec(),
        Segment::File(_) => Vec::new(),
    };
    segments.iter().flat_map(octets).collect()
}
