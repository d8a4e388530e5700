//! A store and a blob store in memory, for the tests of this folder: just enough of them to open and
//! close transfers.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor, Read, Write};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::sealing::{FileContent, SealRequest};
use crate::address::Address;
use crate::audit::Event;
use crate::clock::{Timestamp, days_later, later};
use crate::config::PasswordMode;
use crate::id::{BlobName, Link, OrganisationId, TransferId};
use crate::limits::{Rate, TryRule};
use crate::store::{
    AccessStore, AuditStore, BlobFacts, BlobWriter, Blobs, NewTransfer, RateStore, Recipient, Result,
    Session, Transfer, TransferStore, Try,
};

/// When the tests begin.
pub fn start() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// What recipients keep of the message that [`request`] is about.
pub const ORIGINAL: &[u8] = b"From: a@voorbeeld.nl\r\nSubject: [veilig] Besluit\r\n\r\nKANARIE\r\n";

/// A message with two files and two recipients.
pub fn request(password: PasswordMode) -> SealRequest<'static> {
    let content = |name: &str, media_type: &str, data: &'static [u8]| FileContent {
        name: name.into(),
        media_type: media_type.into(),
        content_id: None,
        content_location: None,
        inline: false,
        data: data.into(),
    };
    SealRequest {
        original: ORIGINAL.into(),
        subject: "Besluit".into(),
        from_name: Some("Jan de Vries".into()),
        from_address: Some("jan@voorbeeld.nl".into()),
        co_authors: Vec::new(),
        agent: None,
        on_behalf_of: Vec::new(),
        message_id: Some("<besluit@voorbeeld.nl>".into()),
        reply_to: Vec::new(),
        date: None,
        text: Some(Cow::Borrowed(b"KANARIE")),
        html: Some(Cow::Borrowed(b"<p>KANARIE</p>")),
        files: vec![
            content("besluit.pdf", "application/pdf", b"%PDF-1.7 KANARIE"),
            content("logo.png", "image/png", b"\x89PNG"),
        ],
        notes: Vec::new(),
        organisation: OrganisationId::of_domain("voorbeeld.nl"),
        sender: Some(address("jan@voorbeeld.nl")),
        automatic: false,
        language: None,
        download_notice: false,
        file_names: false,
        recipients: vec![address("piet@example.org"), address("els@example.org")],
        created: start(),
        expires: days_later(start(), 30),
        zone: crate::calendar::Zone::default(),
        password,
        chosen: None,
        thread: vec![[1; 32]],
        answers: Vec::new(),
    }
}

/// A transfer as a row, without anything behind it.
pub fn transfer_row() -> Transfer {
    let recipient = Recipient {
        number: 1,
        address: address("piet@example.org"),
        key_packet: Some(vec![1]),
        tries: 0,
        locked_until: None,
        first_notified: None,
        notified: None,
        bounced: None,
        opened: None,
        recalled: None,
    };
    Transfer {
        id: TransferId::random(),
        organisation: None,
        created: start(),
        expires: days_later(start(), 30),
        sender: None,
        message_id: None,
        reply_to: Vec::new(),
        on_behalf_of: Vec::new(),
        password: true,
        automatic: false,
        language: None,
        download_notice: false,
        file_names: false,
        parts: Vec::new(),
        files: 0,
        generation: 1,
        recipients: vec![recipient],
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

type Contents = Arc<Mutex<BTreeMap<BlobName, Vec<u8>>>>;

/// Blobs in memory; after `left` commits the disk is full.
pub struct MemoryBlobs {
    contents: Contents,
    left: AtomicUsize,
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        Self::failing_after(usize::MAX)
    }
}

impl MemoryBlobs {
    pub fn failing_after(commits: usize) -> Self {
        Self { contents: Contents::default(), left: AtomicUsize::new(commits) }
    }

    pub fn contents(&self) -> Vec<Vec<u8>> {
        self.contents.lock().unwrap().values().cloned().collect()
    }

    /// Lets a test damage what is stored.
    pub fn change(&self, name: &BlobName, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.contents.lock().unwrap().get_mut(name).unwrap());
    }
}

impl Blobs for MemoryBlobs {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        left.map_err(|_| io::ErrorKind::StorageFull)?;
        Ok(Box::new(MemoryWriter { bytes: Vec::new(), contents: self.contents.clone() }))
    }

    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.contents.lock().unwrap().get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = Cursor::new(bytes);
        bytes.set_position(offset);
        Ok(Box::new(bytes))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.contents.lock().unwrap().remove(name);
        Ok(())
    }

    fn room(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
        let contents = self.contents.lock().unwrap();
        let after = after.map_or(Unbounded, Excluded);
        Ok(contents.range((after, Unbounded)).take(limit).map(|(name, _)| name.clone()).collect())
    }

    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        let contents = self.contents.lock().unwrap();
        Ok(contents.get(name).map(|bytes| BlobFacts { size: bytes.len() as u64, written: start() }))
    }
}

struct MemoryWriter {
    bytes: Vec<u8>,
    contents: Contents,
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for MemoryWriter {
    fn commit(self: Box<Self>) -> io::Result<BlobName> {
        let name = BlobName::random();
        self.contents.lock().unwrap().insert(name.clone(), self.bytes);
        Ok(name)
    }
}

/// Transfers, tries and sessions in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<Rows>);

#[derive(Default)]
pub struct Rows {
    pub transfers: HashMap<TransferId, Transfer>,
    pub sessions: HashMap<[u8; 32], (Link, Vec<u8>, Timestamp)>,
    pub buckets: HashMap<String, Timestamp>,
    pub events: Vec<Event>,
    /// Calls of any method, to see that a forged token makes none.
    pub calls: usize,
}

impl MemoryStore {
    pub fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap()
    }

    pub fn insert(&self, new: NewTransfer) {
        let recipients = new.recipients.into_iter().map(|recipient| Recipient {
            number: recipient.number,
            address: recipient.address,
            key_packet: Some(recipient.key_packet),
            tries: 0,
            locked_until: None,
            first_notified: None,
            notified: None,
            bounced: None,
            opened: None,
            recalled: None,
        });
        let transfer = Transfer {
            id: new.id.clone(),
            organisation: Some(new.organisation),
            created: new.created,
            expires: new.expires,
            sender: new.sender,
            message_id: new.message_id,
            reply_to: new.reply_to,
            on_behalf_of: new.on_behalf_of,
            password: new.password,
            automatic: new.automatic,
            language: new.language,
            download_notice: new.download_notice,
            file_names: new.file_names,
            parts: new.parts,
            files: new.files,
            generation: new.generation,
            recipients: recipients.collect(),
        };
        self.rows().transfers.insert(new.id, transfer);
    }

    /// What the audit trail holds, as `action result`.
    pub fn audit(&self) -> Vec<String> {
        let rows = self.rows();
        rows.events.iter().map(|event| format!("{} {}", event.action.as_str(), event.result)).collect()
    }

    fn called(&self) -> MutexGuard<'_, Rows> {
        let mut rows = self.rows();
        rows.calls += 1;
        rows
    }
}

impl Rows {
    pub fn recipient(&mut self, link: &Link) -> &mut Recipient {
        let recipients = &mut self.transfers.get_mut(&link.transfer).unwrap().recipients;
        recipients.iter_mut().find(|recipient| recipient.number == link.recipient).unwrap()
    }
}

#[async_trait]
impl TransferStore for MemoryStore {
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>> {
        Ok(self.called().transfers.get(&id).cloned())
    }
}

#[async_trait]
impl AccessStore for MemoryStore {
    async fn begin_try(&self, link: Link, rule: TryRule, now: Timestamp) -> Result<Try> {
        let mut rows = self.called();
        let recipient = rows.recipient(&link);
        if let Some(until) = recipient.locked_until.filter(|until| *until > now) {
            return Ok(Try::Locked(until));
        }
        recipient.tries += 1;
        recipient.locked_until = rule.lock_after(recipient.tries).map(|lock| later(now, lock));
        Ok(Try::Allowed { locked: recipient.locked_until })
    }

    async fn withdraw_try(&self, link: Link, locked: Option<Timestamp>) -> Result<()> {
        let mut rows = self.called();
        let recipient = rows.recipient(&link);
        if recipient.tries > 0 && recipient.locked_until == locked {
            (recipient.tries, recipient.locked_until) = (recipient.tries - 1, None);
        }
        Ok(())
    }

    async fn open(&self, session: Session, event: Event) -> Result<()> {
        let mut rows = self.called();
        let recipient = rows.recipient(&session.link);
        (recipient.tries, recipient.locked_until) = (0, None);
        rows.sessions.insert(session.id, (session.link, session.wrapped_key, session.used));
        rows.events.push(event);
        Ok(())
    }

    async fn note_opened(&self, link: Link, now: Timestamp) -> Result<()> {
        self.called().recipient(&link).opened.get_or_insert(now);
        Ok(())
    }

    async fn session_link(&self, id: [u8; 32], idle_since: Timestamp) -> Result<Option<Link>> {
        let rows = self.called();
        let session = rows.sessions.get(&id).filter(|(_, _, used)| *used >= idle_since);
        Ok(session.map(|(link, ..)| link.clone()))
    }

    async fn session(&self, id: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Result<Option<Session>> {
        let mut rows = self.called();
        let Some((link, wrapped_key, used)) = rows.sessions.get_mut(&id) else { return Ok(None) };
        if *used < idle_since {
            return Ok(None);
        }
        *used = now;
        Ok(Some(Session { id, link: link.clone(), wrapped_key: wrapped_key.clone(), used: now }))
    }

    async fn end_session(&self, id: [u8; 32], event: Event) -> Result<()> {
        let mut rows = self.called();
        rows.sessions.remove(&id);
        rows.events.push(event);
        Ok(())
    }
}

#[async_trait]
impl RateStore for MemoryStore {
    async fn check_rate(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>> {
        let mut rows = self.called();
        let arrival = rows.buckets.get(&bucket).copied();
        match rate.take(arrival, now) {
            Ok(arrival) => {
                rows.buckets.insert(bucket, arrival);
                Ok(None)
            }
            Err(until) => Ok(Some(until)),
        }
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn append_audit(&self, event: Event) -> Result<()> {
        self.called().events.push(event);
        Ok(())
    }
}
