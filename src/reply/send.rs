//! From a draft to what staff get: one ordinary mail, or a transfer of its own. Everything that an answer becomes,
//! and the end of its draft, is one transaction of the store; before it nothing is promised, after it nothing is left
//! to do. Files go from sealed pieces to sealed mail in blocks, whatever their size (H15).

use std::io::{self, Cursor, Read};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::check::{self, Checked};
use super::files::{FileReader, LateHash, sha256};
use super::original::{self, Original};
use super::types::{Browser, Draft, Preview, Sent, SentFile};
use super::vault::Vault;
use super::{Replies, ReplyError, Result, SENT, TYPED, uploads};
use crate::address::{Address, ReversePath};
use crate::audit::{Action, Event};
use crate::clock::{Timestamp, days_later, rfc5322};
use crate::config::{Config, ReplyDelivery};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters};
use crate::id::{Link, QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::message::name::Names;
use crate::notify::compose::{Attachment, Segment};
use crate::notify::confirmation::{Checksum, ConfirmationFacts, confirmation};
use crate::notify::reply::{self, Author, FilesLink, ReplyFacts, reply, reply_id};
use crate::notify::reply_notice::{self, ReplyNoticeFacts, reply_notice};
use crate::queue::body;
use crate::relay::Traits;
use crate::secret::Secret;
use crate::store::{Acceptance, Body, DraftRow, EndedDraft, Kind, NewItem, StoreError, UploadRow, discard};
use crate::transfer::access::Grant;
use crate::transfer::sealing::{self, Content, Data, Protection, SealRequest, Sealed};

/// Answers to one transfer within 24 hours (H18).
const PER_DAY: u32 = 20;
/// A draft that changes while it is being sent is read again this often.
const ROUNDS: usize = 3;
/// The largest mail where the next hop has named no limit.
const USUAL_MAIL: u64 = 25 * 1024 * 1024;
/// Octets that the header of an attachment and the line for it may take.
const AROUND_FILE: u64 = 2048;
/// Octets of the mail around text and files.
const AROUND_MAIL: u64 = 32 * 1024;
/// Octets of a file that are encoded at once: whole lines of base64.
const ENCODED_AT_ONCE: usize = 57 * 1024;

/// An answer that was checked, with all that is needed to compose it.
struct Answer {
    replies: Replies,
    config: Arc<Config>,
    grant: Grant,
    vault: Vault,
    checked: Checked,
    original: Original,
    files: Vec<File>,
    revision: u64,
    id: QueueId,
    now: Timestamp,
    client: IpAddr,
}

/// A file of the answer.
struct File {
    /// Unique within the answer.
    name: String,
    media_type: String,
    size: u64,
    row: UploadRow,
    hash: LateHash,
}

impl Replies {
    pub(super) async fn send_draft(self, grant: Grant, browser: Browser, client: IpAddr) -> Result<Sent> {
        for _ in 0..ROUNDS {
            let Some(row) = self.parts.store.draft(self.author(&grant, &browser)).await? else {
                return self.sent(&grant, &browser).await?.ok_or(ReplyError::Empty);
            };
            let answer = self.answer(&grant, &browser, row, client).await?;
            let (acceptance, sent) = self.compose(answer, &browser).await?;
            let blobs = acceptance.blobs();
            match self.parts.store.commit(acceptance).await {
                Ok(_) => {
                    self.parts.wake.wake();
                    return Ok(sent);
                }
                Err(error) => {
                    let store = self.parts.blobs.clone();
                    spawn_blocking(move || discard(store.as_ref(), &blobs)).await.ok();
                    // Another click has sent it, or somebody goes on writing in another window.
                    if !matches!(error, StoreError::Changed) {
                        return Err(error.into());
                    }
                }
            }
        }
        Err(ReplyError::Trouble("the draft keeps changing".to_owned()))
    }

    /// Reads and checks the draft as it is now.
    async fn answer(
        &self,
        grant: &Grant,
        browser: &Browser,
        row: DraftRow,
        client: IpAddr,
    ) -> Result<Answer> {
        let (config, now) = (self.parts.config.load_full(), self.parts.clock.now());
        let vault = Vault::of_draft(grant, browser);
        let typed = match &row.typed {
            Some(sealed) => vault.open(TYPED, sealed)?,
            None => self.draft(grant, browser).await?.typed,
        };
        let uploads = row.uploads.iter().map(|row| uploads::open_row(&vault, row)).collect::<Result<_>>()?;
        let draft = Draft { typed, uploads };
        let verified = self.verified(browser).await?;
        let checked = check::check(&draft, verified.as_ref(), &config, now)
            .map_err(|faults| faults.into_iter().next().unwrap_or(ReplyError::Empty))?;
        let mut names = Names::default();
        let files = draft.uploads.into_iter().zip(row.uploads).map(|(upload, row)| File {
            name: names.give(&upload.name),
            media_type: upload.media_type,
            size: upload.offset,
            row,
            hash: LateHash::default(),
        });
        Ok(Answer {
            replies: self.clone(),
            config,
            grant: grant.clone(),
            vault,
            checked,
            original: original::read(grant, now).await?,
            files: files.collect(),
            revision: row.revision,
            id: QueueId::random(),
            now,
            client,
        })
    }

    async fn compose(&self, answer: Answer, browser: &Browser) -> Result<(Acceptance, Sent)> {
        let turn = self.composing.clone().acquire_owned().await;
        let author = self.author(&answer.grant, browser);
        let composed = spawn_blocking(move || {
            let _turn = turn;
            let mut acceptance = Acceptance::new(answer.id.clone());
            match answer.fill(&mut acceptance) {
                Ok((sent, thread)) => {
                    let summary = answer.vault.seal(SENT, &sent)?;
                    let (revision, time) = (answer.revision, answer.now);
                    acceptance.draft =
                        Some(EndedDraft { author, revision, time, summary, thread, per_day: PER_DAY });
                    Ok((acceptance, sent))
                }
                Err(error) => {
                    discard(answer.replies.parts.blobs.as_ref(), &acceptance.blobs());
                    Err(error)
                }
            }
        });
        composed.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }

    pub(super) async fn show(&self, grant: &Grant, browser: &Browser) -> Result<Preview> {
        let nobody = IpAddr::from([0, 0, 0, 0]);
        let row = self.parts.store.draft(self.author(grant, browser)).await?.ok_or(ReplyError::Empty)?;
        self.answer(grant, browser, row, nobody).await?.preview()
    }
}

/// The hashes of the Message-IDs of what was composed.
type ThreadHashes = Vec<[u8; 32]>;

impl Answer {
    /// Everything that the answer becomes. On an error, what `acceptance` holds by then is the caller's to discard.
    fn fill(&self, acceptance: &mut Acceptance) -> Result<(Sent, ThreadHashes)> {
        let (thread, password) = match self.config.reply.delivery {
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
            let sealed = self.seal(&linked, recipients, Protection::Link)?;
            link = sealed.tokens.into_iter().next();
            acceptance.events.push(self.event(Action::Seal, sealed.transfer.id.to_string()));
            acceptance.transfer = Some(sealed.transfer);
        }
        let names: Vec<&str> = linked.iter().map(|file| file.name.as_str()).collect();
        let link = link.as_ref().map(|token| FilesLink { token, expires: self.expires(), names: &names });
        let attachments: Vec<Attachment<'_>> = attached.iter().map(|file| file.attachment()).collect();
        let segments = reply(&self.facts(&self.id, link), &attachments)?;
        let body = self.body(&segments, &attached)?;
        let recipients = self.checked.recipients();
        acceptance.items.push(self.item(self.id.clone(), recipients, body, None));
        Ok(vec![self.replies.parts.keys.thread.hash(&reply_id(&self.id, &self.config.hostname))])
    }

    /// Which files travel in the mail: the smallest, as many as fit.
    fn plan(&self) -> (Vec<&File>, Vec<&File>) {
        let most = self.config.reply.max_mail_size.map(crate::config::ByteSize::bytes);
        let most = most.or_else(|| self.replies.parts.largest.octets()).unwrap_or(USUAL_MAIL);
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
        let protection = match &self.checked.password {
            Some(chosen) => Protection::Chosen(chosen.clone()),
            None => Protection::Generated,
        };
        let chosen = self.checked.password.is_some();
        let files: Vec<&File> = self.files.iter().collect();
        let Sealed { transfer, password, tokens } =
            self.seal(&files, self.checked.recipients(), protection)?;
        let mut thread = Vec::new();
        acceptance.events.push(self.event(Action::Seal, transfer.id.to_string()));
        let transfer = acceptance.transfer.insert(transfer);
        for (recipient, token) in transfer.recipients.iter().zip(&tokens) {
            let id = QueueId::random();
            let link = Link { transfer: transfer.id.clone(), recipient: recipient.number };
            let mail = reply_notice(&self.notice_facts(&id, &transfer.id, Some(token)))?;
            let parts = &self.replies.parts;
            let body = body::store_body(&parts.keys.body, parts.blobs.as_ref(), &mail)?;
            acceptance.events.push(self.event(Action::Notify, link.to_string()));
            thread.push(parts.keys.thread.hash(&reply_id(&id, &self.config.hostname)));
            acceptance.items.push(self.item(id, vec![recipient.address.clone()], body, Some(link)));
        }
        Ok((thread, password.filter(|_| !chosen)))
    }

    /// Files, and the message where the mail will not have it.
    fn seal(&self, files: &[&File], recipients: Vec<Address>, password: Protection) -> Result<Sealed> {
        let parts = &self.replies.parts;
        let (checked, verified) = (&self.checked, &self.checked.verified);
        let original = whole(&reply(&self.facts(&self.id, None), &[])?);
        let message = Some(checked.message.as_bytes()).filter(|message| !message.is_empty());
        let request = SealRequest {
            original: &original,
            subject: self.original.thread.subject.clone(),
            from_name: Some(checked.name.clone()),
            from_address: Some(verified.address.to_string()),
            date: Some(rfc5322(self.now)),
            text: message.map(Into::into),
            html: None,
            files: files.iter().map(|file| self.content(file)).collect(),
            sender: Some(verified.address.clone()).filter(|_| checked.settings.tell_downloads),
            recipients,
            created: self.now,
            expires: self.expires(),
            password,
            thread: Vec::new(),
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
        FileReader::new(self.vault.clone(), self.replies.parts.blobs.clone(), &file.row, file.hash.clone())
    }

    fn expires(&self) -> Timestamp {
        days_later(self.now, self.checked.expiry_days)
    }

    fn facts<'a>(&'a self, id: &'a QueueId, link: Option<FilesLink<'a>>) -> ReplyFacts<'a> {
        let (config, checked) = (&self.config, &self.checked);
        ReplyFacts {
            language: checked.settings.language.unwrap_or(config.web.default_language),
            organisation: &config.organisation,
            hostname: &config.hostname,
            public_url: &config.web.public_url,
            author: self.author(),
            to: &checked.to,
            cc: &checked.cc,
            thread: &self.original.thread,
            transfer: &self.grant.transfer().id,
            message: &checked.message,
            link,
            id,
            now: self.now,
        }
    }

    fn notice_facts<'a>(
        &'a self,
        id: &'a QueueId,
        transfer: &'a TransferId,
        token: Option<&'a Secret>,
    ) -> ReplyNoticeFacts<'a> {
        let (config, checked) = (&self.config, &self.checked);
        ReplyNoticeFacts {
            language: checked.settings.language.unwrap_or(config.web.default_language),
            organisation: &config.organisation,
            hostname: &config.hostname,
            public_url: &config.web.public_url,
            author: self.author(),
            to: &checked.to,
            cc: &checked.cc,
            thread: &self.original.thread,
            transfer,
            token,
            expires: self.expires(),
            id,
            now: self.now,
        }
    }

    fn author(&self) -> Author<'_> {
        let Checked { name, phone, verified, .. } = &self.checked;
        Author { name, address: &verified.address, phone }
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
        let parts = &self.replies.parts;
        Ok(body::store_stream(&parts.keys.body, parts.blobs.as_ref(), traits, &mut source)?)
    }

    /// The reverse path is for failure reports alone; see [`Kind::Reply`].
    fn item(&self, id: QueueId, recipients: Vec<Address>, body: Body, link: Option<Link>) -> NewItem {
        let smtputf8 = recipients.iter().any(Address::needs_smtputf8);
        let envelope = Envelope {
            reverse_path: ReversePath::Address(self.checked.verified.address.clone()),
            parameters: MailParameters { smtputf8, ..MailParameters::default() },
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
        let (config, id) = (&self.config, QueueId::random());
        let settings = &self.checked.settings;
        let message = Checksum { name: "", size: sent.message.len() as u64, sha256: &sent.message_sha256 };
        let file = |file: &'_ SentFile| -> (String, u64, String) {
            (file.name.clone(), file.size, file.sha256.clone())
        };
        let files: Vec<(String, u64, String)> = sent.files.iter().map(file).collect();
        let files: Vec<Checksum<'_>> =
            files.iter().map(|(name, size, sha256)| Checksum { name, size: *size, sha256 }).collect();
        let mail = confirmation(&ConfirmationFacts {
            language: settings.page_language.unwrap_or(config.web.default_language),
            organisation: &config.organisation,
            hostname: &config.hostname,
            public_url: &config.web.public_url,
            to,
            transfer: &self.grant.transfer().id,
            recipients: &sent.recipients,
            message: Some(message).filter(|_| !sent.message.is_empty()),
            files: &files,
            show_names: settings.show_names,
            id: &id,
            now: self.now,
        })?;
        Ok(self.replies.notice(id, Kind::Confirmation, to, &mail))
    }

    fn preview(&self) -> Result<Preview> {
        let from =
            format!("{} <noreply@{}>", self.author().shown(&self.config.organisation), self.config.hostname);
        let (subject, text, html) = match self.config.reply.delivery {
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

impl File {
    fn attachment(&self) -> Attachment<'_> {
        Attachment { name: &self.name, media_type: &self.media_type }
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

/// Octets of `size` octets in base64, with lines of 76 characters and their ends.
fn encoded_size(size: u64) -> u64 {
    size.div_ceil(3) * 4 + size.div_ceil(57) * 2
}

/// What it reads, in base64 with lines of 76 characters (RFC 2045 6.8).
struct Base64Lines<R> {
    source: R,
    lines: Cursor<Vec<u8>>,
}

impl<R: Read> Base64Lines<R> {
    fn new(source: R) -> Self {
        Self { source, lines: Cursor::default() }
    }

    /// The next lines; all but the last are whole, because as much is read as there is.
    fn advance(&mut self) -> io::Result<()> {
        let mut plain = Vec::with_capacity(ENCODED_AT_ONCE);
        self.source.by_ref().take(ENCODED_AT_ONCE as u64).read_to_end(&mut plain)?;
        let mut lines = String::with_capacity(plain.len() / 57 * 78 + 78);
        for line in plain.chunks(57) {
            base64::Engine::encode_string(&base64::engine::general_purpose::STANDARD, line, &mut lines);
            lines.push_str("\r\n");
        }
        self.lines = Cursor::new(lines.into_bytes());
        Ok(())
    }
}

impl<R: Read> Read for Base64Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.lines.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        self.advance()?;
        self.lines.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_long_as_said() {
        for size in [0, 1, 56, 57, 58, 114, 57 * 1024 - 1, 57 * 1024, 57 * 1024 + 1, 200_000] {
            let plain: Vec<u8> = (0..size).map(|at| (at * 31) as u8).collect();
            let mut encoded = Vec::new();
            Base64Lines::new(&plain[..]).read_to_end(&mut encoded).unwrap();
            assert_eq!(encoded.len() as u64, encoded_size(size as u64), "{size}");
            assert!(encoded.split(|c| *c == b'\n').all(|line| line.len() <= 77));
            let text: Vec<u8> = encoded.into_iter().filter(|c| !c.is_ascii_whitespace()).collect();
            let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
            assert_eq!(decoded, plain);
        }
    }
}
