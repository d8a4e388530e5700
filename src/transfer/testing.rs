//! A store and a blob store in memory, for the tests of this folder: just enough of them to open and
//! close transfers. What they leave out answers [`StoreError::Closed`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::sealing::{Content, SealRequest};
use crate::address::Address;
use crate::audit::{Entry, Event};
use crate::clock::{Timestamp, days_later, later};
use crate::config::PasswordMode;
use crate::id::{BlobName, Link, QueueId, TransferId, UploadId};
use crate::limits::{Rate, TryRule};
use crate::secret::keyring::Destroyed;
use crate::store::room::Disk;
use crate::store::{
    Acceptance, Added, Attempt, Author, BlobFacts, BlobWriter, Blobs, BrowserRow, CodeLimits, CodeRow,
    CodeTry, Committed, DeliveryReport, Download, DraftRow, DraftStore, DueReminder, Extension, Fetch,
    Forget, Gauges, Item, LimitedNotice, NamedBlob, NewCode, NewItem, NewTransfer, NewUploadRow, PieceRow,
    QueueEntry, Recall, Recipient, Reminders, Result, Sent, Session, Store, StoreError, Transfer, Try, Turn,
    UploadLimits,
};

/// When the tests begin.
pub fn start() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// A message with two files and two recipients.
pub fn request(password: PasswordMode) -> SealRequest<'static> {
    let content = |name: &str, media_type: &str, data: &'static [u8]| Content {
        name: name.into(),
        media_type: media_type.into(),
        content_id: None,
        inline: false,
        data: data.into(),
    };
    SealRequest {
        original: b"From: a@voorbeeld.nl\r\nSubject: [veilig] Besluit\r\n\r\nKANARIE\r\n",
        subject: "Besluit".into(),
        from_name: Some("Jan de Vries".into()),
        from_address: Some("jan@voorbeeld.nl".into()),
        message_id: Some("<besluit@voorbeeld.nl>".into()),
        reply_to: Vec::new(),
        date: None,
        text: Some(Cow::Borrowed(b"KANARIE")),
        html: Some(Cow::Borrowed(b"<p>KANARIE</p>")),
        files: vec![
            content("besluit.pdf", "application/pdf", b"%PDF-1.7 KANARIE"),
            content("logo.png", "image/png", b"\x89PNG"),
        ],
        sender: Some(address("jan@voorbeeld.nl")),
        automatic: false,
        language: None,
        download_notice: false,
        file_names: false,
        recipients: vec![address("piet@example.org"), address("els@example.org")],
        created: start(),
        expires: days_later(start(), 30),
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
        notified: None,
        bounced: None,
        opened: None,
        recalled: None,
    };
    Transfer {
        id: TransferId::random(),
        created: start(),
        expires: days_later(start(), 30),
        sender: None,
        message_id: None,
        reply_to: Vec::new(),
        password: true,
        automatic: false,
        language: None,
        download_notice: false,
        file_names: false,
        parts: Vec::new(),
        files: 0,
        recipients: vec![recipient],
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

type Contents = Arc<Mutex<HashMap<BlobName, Vec<u8>>>>;

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
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left.store(left - 1, Ordering::Relaxed);
        Ok(Box::new(MemoryWriter { bytes: Vec::new(), contents: self.contents.clone() }))
    }

    fn open(&self, name: &BlobName) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.contents.lock().unwrap().get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.contents.lock().unwrap().remove(name);
        Ok(())
    }

    fn room(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn names(&self) -> io::Result<Vec<BlobName>> {
        Ok(self.contents.lock().unwrap().keys().cloned().collect())
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
            notified: None,
            bounced: None,
            opened: None,
            recalled: None,
        });
        let transfer = Transfer {
            id: new.id.clone(),
            created: new.created,
            expires: new.expires,
            sender: new.sender,
            message_id: new.message_id,
            reply_to: new.reply_to,
            password: new.password,
            automatic: new.automatic,
            language: new.language,
            download_notice: new.download_notice,
            file_names: new.file_names,
            parts: new.parts,
            files: new.files,
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
impl Store for MemoryStore {
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>> {
        Ok(self.called().transfers.get(&id).cloned())
    }

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

    async fn open(&self, session: Session, event: Event) -> Result<()> {
        let mut rows = self.called();
        let recipient = rows.recipient(&session.link);
        (recipient.tries, recipient.locked_until) = (0, None);
        recipient.opened.get_or_insert(session.used);
        rows.sessions.insert(session.id, (session.link, session.wrapped_key, session.used));
        rows.events.push(event);
        Ok(())
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

    async fn take(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>> {
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

    async fn record(&self, event: Event) -> Result<()> {
        self.called().events.push(event);
        Ok(())
    }

    async fn commit(&self, _: Acceptance) -> Result<Committed> {
        Err(StoreError::Closed)
    }
    async fn is_sealed_thread(&self, _: Vec<[u8; 32]>) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn claim_due(&self, _: Timestamp, _: Timestamp, _: usize) -> Result<Vec<Item>> {
        Err(StoreError::Closed)
    }
    async fn release_claims(&self) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn next_due(&self) -> Result<Option<Timestamp>> {
        Err(StoreError::Closed)
    }
    async fn finish_attempt(&self, _: Attempt) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        Err(StoreError::Closed)
    }
    async fn retry(&self, _: Option<QueueId>, _: Timestamp, _: Option<Event>) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn hurry(&self, _: Timestamp) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn drop_item(&self, _: QueueId, _: Event) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn transfers(&self) -> Result<Vec<Transfer>> {
        Err(StoreError::Closed)
    }
    async fn sweep_sessions(&self, _: Timestamp) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn expire(&self, _: Timestamp, _: Timestamp) -> Result<Vec<TransferId>> {
        Err(StoreError::Closed)
    }
    async fn begin_turn(&self, _: Timestamp) -> Result<Turn> {
        Err(StoreError::Closed)
    }
    async fn due_reminders(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<DueReminder>> {
        Err(StoreError::Closed)
    }
    async fn remind(&self, _: Reminders) -> Result<usize> {
        Err(StoreError::Closed)
    }
    async fn due_downloads(&self, _: Timestamp, _: usize) -> Result<Vec<Link>> {
        Err(StoreError::Closed)
    }
    async fn follow_up(&self, _: Link, _: NewItem, _: Timestamp) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn forget(&self, _: Forget) -> Result<usize> {
        Err(StoreError::Closed)
    }
    async fn recall(&self, _: Recall) -> Result<Vec<u16>> {
        Err(StoreError::Closed)
    }
    async fn extend(&self, _: Extension) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn clear_tries(&self, _: Link, _: Event) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn report(&self, _: Link, _: DeliveryReport) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn reports(&self, _: TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
        Err(StoreError::Closed)
    }
    async fn send(&self, _: LimitedNotice, _: Timestamp) -> Result<Sent> {
        Err(StoreError::Closed)
    }
    async fn downloaded(&self, _: Fetch) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn is_noted(&self, _: [u8; 32], _: String, _: bool, _: Timestamp) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn part_lost(&self, _: TransferId, _: u32, _: Event, _: Option<NewItem>) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn downloads(&self, _: TransferId) -> Result<Vec<Download>> {
        Err(StoreError::Closed)
    }
    async fn trail(&self, _: TransferId) -> Result<Vec<Entry>> {
        Err(StoreError::Closed)
    }
    async fn doomed_blobs(&self, _: usize) -> Result<Vec<BlobName>> {
        Err(StoreError::Closed)
    }
    async fn forget_blobs(&self, _: Vec<BlobName>) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn orphans(&self, _: Vec<BlobName>) -> Result<Vec<BlobName>> {
        Err(StoreError::Closed)
    }
    async fn destroy_keys(&self) -> Result<Destroyed> {
        Ok(Destroyed::All)
    }
    async fn disk(&self) -> Result<Disk> {
        Err(StoreError::Closed)
    }
    async fn shrink_log(&self) -> Result<()> {
        Ok(())
    }
    async fn few_keys(&self) {
        std::future::pending().await
    }
    async fn named_blobs(&self, _: Option<BlobName>, _: usize) -> Result<Vec<NamedBlob>> {
        Err(StoreError::Closed)
    }
    async fn gauges(&self, _: Timestamp) -> Result<Gauges> {
        Err(StoreError::Closed)
    }
}

/// Answers are tested on the real store.
#[async_trait]
impl DraftStore for MemoryStore {
    async fn draft(&self, _: Author) -> Result<Option<DraftRow>> {
        Err(StoreError::Closed)
    }
    async fn save_draft(&self, _: Author, _: Vec<u8>, _: Timestamp) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn add_upload(&self, _: Author, _: NewUploadRow, _: UploadLimits, _: Timestamp) -> Result<Added> {
        Err(StoreError::Closed)
    }
    async fn set_length(&self, _: Author, _: UploadId, _: u64, _: UploadLimits) -> Result<Added> {
        Err(StoreError::Closed)
    }
    async fn add_piece(
        &self,
        _: Author,
        _: UploadId,
        _: u64,
        _: PieceRow,
        _: UploadLimits,
        _: Timestamp,
    ) -> Result<Added> {
        Err(StoreError::Closed)
    }
    async fn upload_room(&self, _: Author, _: UploadLimits) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn remove_upload(&self, _: Author, _: UploadId, _: Timestamp, _: Option<Event>) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn mark_scanned(&self, _: Author, _: UploadId, _: Timestamp) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn sweep_drafts(&self, _: Timestamp, _: Timestamp) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn add_code(&self, _: NewCode, _: CodeLimits) -> Result<Option<Timestamp>> {
        Err(StoreError::Closed)
    }
    async fn code(&self, _: Author) -> Result<Option<CodeRow>> {
        Err(StoreError::Closed)
    }
    async fn try_code(
        &self,
        _: Author,
        _: [u8; 32],
        _: u32,
        _: Timestamp,
        _: BrowserRow,
        _: Event,
    ) -> Result<CodeTry> {
        Err(StoreError::Closed)
    }
    async fn browser(&self, _: [u8; 32], _: Timestamp) -> Result<Option<BrowserRow>> {
        Err(StoreError::Closed)
    }
    async fn forget_browser(&self, _: [u8; 32]) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn last_reply(&self, _: Author, _: Timestamp) -> Result<Option<Vec<u8>>> {
        Err(StoreError::Closed)
    }
}
