//! The queue in memory, for tests of the worker: just what the worker asks of a store, and ways to make it
//! fail. What has nothing to do with the queue answers that the store is closed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use zegel::audit::{Entry, Event};
use zegel::clock::Timestamp;
use zegel::id::{BlobName, Link, QueueId, TransferId, UploadId};
use zegel::limits::{Rate, TryRule};
use zegel::secret::keyring::Destroyed;
use zegel::store::room::Disk;
use zegel::store::{
    Acceptance, Added, Attempt, Author, BlobFacts, BlobWriter, Blobs, BrowserRow, CodeLimits, CodeRow,
    CodeTry, Committed, Delivery, DeliveryReport, Download, DraftRow, DraftStore, DueReminder, Extension,
    Fetch, Forget, Gauges, Item, LimitedNotice, NamedBlob, NewCode, NewItem, NewUploadRow, PendingRecipient,
    PieceRow, Problem, QueueEntry, Recall, Reminders, Result, Sent, Session, Store, StoreError, Transfer,
    Try, Turn, UploadLimits,
};

/// One item and its state.
#[derive(Clone, Debug)]
pub struct Row {
    pub item: NewItem,
    pub waiting: Vec<PendingRecipient>,
    pub attempts: u32,
    pub due: Timestamp,
    pub leased: Option<Timestamp>,
    pub problem: Option<Problem>,
}

impl Row {
    fn is_frozen(&self) -> bool {
        self.problem == Some(Problem::Frozen)
    }
}

/// What has happened.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub rows: Vec<Row>,
    /// Every outcome that was recorded, by item and recipient number.
    pub outcomes: Vec<(QueueId, u32, Delivery)>,
    pub reports: Vec<NewItem>,
    pub events: Vec<Event>,
    pub finished: usize,
    /// So many calls of `finish_attempt` fail from now on.
    pub broken: usize,
}

/// A queue without a disk.
pub struct MemoryQueue {
    state: watch::Sender<State>,
}

impl MemoryQueue {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: watch::Sender::new(State::default()) })
    }

    /// Due at once.
    pub fn add(&self, item: NewItem) {
        let recipients = item.envelope.recipients.iter().cloned();
        let waiting = (1..).zip(recipients).map(|(number, recipient)| PendingRecipient { number, recipient });
        let row = Row {
            waiting: waiting.collect(),
            attempts: 0,
            due: item.created,
            leased: None,
            problem: None,
            item,
        };
        self.state.send_modify(|state| state.rows.push(row));
    }

    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub fn break_finish(&self, times: usize) {
        self.state.send_modify(|state| state.broken = times);
    }

    /// Waits until the state satisfies `enough`; fails after 20 seconds.
    pub async fn wait(&self, enough: impl Fn(&State) -> bool) -> State {
        let mut receiver = self.state.subscribe();
        let reached = tokio::time::timeout(Duration::from_secs(20), receiver.wait_for(|state| enough(state)));
        match reached.await {
            Ok(state) => state.unwrap().clone(),
            Err(_) => panic!("the queue waited in vain: {:#?}", self.state()),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state.send_modify(|state| result = Some(change(state)));
        result.unwrap()
    }
}

fn claim(row: &mut Row, lease: Timestamp) -> Item {
    row.leased = Some(lease);
    Item {
        id: row.item.id.clone(),
        kind: row.item.kind,
        reverse_path: row.item.envelope.reverse_path.clone(),
        parameters: row.item.envelope.parameters.clone(),
        recipients: row.waiting.clone(),
        body: row.item.body.clone(),
        link: row.item.link.clone(),
        created: row.item.created,
        attempts: row.attempts,
    }
}

#[async_trait]
impl Store for MemoryQueue {
    async fn claim_due(&self, now: Timestamp, lease: Timestamp, limit: usize) -> Result<Vec<Item>> {
        Ok(self.change(|state| {
            state.rows.sort_by_key(|row| row.due);
            let free = |row: &&mut Row| {
                !row.is_frozen() && row.due <= now && row.leased.is_none_or(|leased| leased <= now)
            };
            state.rows.iter_mut().filter(free).take(limit).map(|row| claim(row, lease)).collect()
        }))
    }

    async fn release_claims(&self) -> Result<()> {
        self.change(|state| state.rows.iter_mut().for_each(|row| row.leased = None));
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        let state = self.state.borrow();
        let waiting = state.rows.iter().filter(|row| !row.is_frozen());
        Ok(waiting.map(|row| row.leased.unwrap_or(row.due)).min())
    }

    async fn finish_attempt(&self, attempt: Attempt) -> Result<()> {
        self.change(|state| {
            if state.broken > 0 {
                state.broken -= 1;
                return Err(io::Error::other("no space left on device").into());
            }
            state.finished += 1;
            for row in state.rows.iter_mut().filter(|row| row.item.id == attempt.item) {
                row.attempts += 1;
                row.due = attempt.next_attempt;
                row.problem = attempt.problem;
                row.leased = None;
                row.waiting.retain(|pending| {
                    let own = |(number, _): &&(u32, Delivery)| *number == pending.number;
                    let outcome = attempt.deliveries.iter().find(own);
                    outcome.is_none_or(|(_, delivery)| matches!(delivery, Delivery::Later { .. }))
                });
            }
            state.rows.retain(|row| !row.waiting.is_empty());
            let id = attempt.item;
            let outcomes = attempt.deliveries.into_iter();
            state.outcomes.extend(outcomes.map(|(number, delivery)| (id.clone(), number, delivery)));
            state.reports.extend(attempt.reports);
            state.events.extend(attempt.events);
            Ok(())
        })
    }

    async fn retry(&self, item: Option<QueueId>, now: Timestamp, _: Option<Event>) -> Result<u64> {
        Ok(self.change(|state| {
            let mut count = 0;
            for row in &mut state.rows {
                if item.as_ref().is_none_or(|id| *id == row.item.id) {
                    row.due = now;
                    row.problem = None;
                    count += 1;
                }
            }
            count
        }))
    }

    async fn hurry(&self, now: Timestamp) -> Result<()> {
        let waiting = |row: &&mut Row| row.leased.is_none() && !row.is_frozen();
        self.change(|state| state.rows.iter_mut().filter(waiting).for_each(|row| row.due = now));
        Ok(())
    }

    async fn commit(&self, _: Acceptance) -> Result<Committed> {
        Err(StoreError::Closed)
    }
    async fn is_sealed_thread(&self, _: Vec<[u8; 32]>) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        Err(StoreError::Closed)
    }
    async fn drop_item(&self, _: QueueId, _: Event) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn transfer(&self, _: TransferId) -> Result<Option<Transfer>> {
        Err(StoreError::Closed)
    }
    async fn transfers(&self) -> Result<Vec<Transfer>> {
        Err(StoreError::Closed)
    }
    async fn begin_try(&self, _: Link, _: TryRule, _: Timestamp) -> Result<Try> {
        Err(StoreError::Closed)
    }
    async fn open(&self, _: Session, _: Event) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn session(&self, _: [u8; 32], _: Timestamp, _: Timestamp) -> Result<Option<Session>> {
        Err(StoreError::Closed)
    }
    async fn end_session(&self, _: [u8; 32], _: Event) -> Result<()> {
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
    async fn named_blobs(&self, _: Option<BlobName>, _: usize) -> Result<Vec<NamedBlob>> {
        Err(StoreError::Closed)
    }
    async fn take(&self, _: String, _: Rate, _: Timestamp) -> Result<Option<Timestamp>> {
        Err(StoreError::Closed)
    }
    async fn record(&self, _: Event) -> Result<()> {
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
    async fn gauges(&self, _: Timestamp) -> Result<Gauges> {
        Err(StoreError::Closed)
    }
}

/// Nobody writes answers here.
#[async_trait]
impl DraftStore for MemoryQueue {
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

/// Blobs in memory.
#[derive(Clone, Default)]
pub struct MemoryBlobs(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Blobs for MemoryBlobs {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(MemoryWriter { blobs: self.clone(), octets: Vec::new() }))
    }

    fn open(&self, name: &BlobName) -> io::Result<Box<dyn Read + Send>> {
        let blobs = self.0.lock().unwrap();
        let octets = blobs.get(name.as_str()).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(octets.clone())))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.0.lock().unwrap().remove(name.as_str());
        Ok(())
    }

    fn room(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn names(&self) -> io::Result<Vec<BlobName>> {
        Ok(self.0.lock().unwrap().keys().map(|name| name.parse().unwrap()).collect())
    }

    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        let blobs = self.0.lock().unwrap();
        let facts = |octets: &Vec<u8>| BlobFacts { size: octets.len() as u64, written: Timestamp::MIN };
        Ok(blobs.get(name.as_str()).map(facts))
    }
}

struct MemoryWriter {
    blobs: MemoryBlobs,
    octets: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.octets.write(octets)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for MemoryWriter {
    fn commit(self: Box<Self>) -> io::Result<BlobName> {
        let name = BlobName::random();
        self.blobs.0.lock().unwrap().insert(name.to_string(), self.octets);
        Ok(name)
    }
}
