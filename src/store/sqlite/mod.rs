//! [`Store`] on SQLite: one thread that writes with group commit ([`writer`]), a few connections that read
//! beside it ([`reader`]), and the statements, by subject, in the other files.
//! Another process, the command line tool, may have the same file open at the same time.

mod access;
mod blobs;
mod columns;
mod connection;
mod copy;
mod database;
mod downloads;
mod drafts;
mod due;
mod folder;
mod handover;
mod intake;
mod journal;
mod keys;
mod limits;
mod lost;
mod migrate;
mod queue;
mod queue_admin;
mod reader;
mod recall;
mod reminders;
mod room;
mod status;
#[cfg(test)]
mod tests;
mod transfers;
mod verification;
mod writer;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::SignedDuration;
use rusqlite::Connection;

pub use self::database::{Alone, Database, Identity};
use self::due::Due;
use self::handover::Kept;
use self::journal::Journal;
use self::reader::Readers;
use self::room::Log;
use self::writer::{Change, Writer};
use super::room::{Disk, Share};
use super::{
    Acceptance, Added, Attempt, Author, BrowserRow, CodeLimits, CodeRow, CodeTry, Committed, DeliveryReport,
    Download, DraftRow, DraftStore, DueReminder, Extension, Fetch, Forget, Gauges, Item, LimitedNotice,
    NamedBlob, NewCode, NewItem, NewUploadRow, PieceRow, QueueEntry, Recall, Reminders, Result, Sent,
    Session, Store, StoreError, Transfer, Try, Turn, UploadLimits,
};
use crate::audit::{Entry, Event};
use crate::clock::Timestamp;
use crate::id::{BlobName, Link, QueueId, TransferId, UploadId};
use crate::limits::{Rate, TryRule};
use crate::secret::keyring::{Destroyed, Keyring};

/// A session's use is noted to the minute: a page with twenty pictures costs one commit, not twenty.
const USE_NOTED: SignedDuration = SignedDuration::from_secs(60);

/// An open database. Dropping it finishes what was asked of it, so that nothing is left in its log.
pub struct Sqlite {
    folder: File,
    readers: Readers,
    writer: Writer,
    /// Only the server has one; without it everything is a row at once.
    journal: Option<Journal>,
    /// Where the server has it.
    journal_folder: PathBuf,
    ring: Keyring,
    log: Log,
    due: Due,
}

impl Sqlite {
    /// Opens the database file, makes it where there is none, and brings it up to date.
    pub fn open(path: &Path) -> Result<Self> {
        Database::open(path)?.attach()
    }

    /// The same for the server, of which there is one: new mail goes through the journal beside the database.
    pub fn serve(path: &Path) -> Result<Self> {
        Database::open(path)?.serve()
    }

    fn with(path: &Path, db: Connection, journal: Option<Journal>, ring: Keyring) -> Result<Self> {
        let (folder, readers) = (connection::folder(path)?, Readers::open(path)?);
        let (writer, journal_folder) = (Writer::start(db)?, connection::journal(path));
        let (log, due) = (Log::of(path), Due::default());
        Ok(Self { folder, readers, writer, journal, journal_folder, ring, log, due })
    }

    /// Has `work` done in a transaction; whatever it is, it may have changed what is due.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Change<'_>) -> Result<T> + Send + 'static,
    {
        self.due.changes(self.writer.run(work)).await
    }

    /// Writes the database at `from`, as it is at this moment, into the new file `to`; beside a server as well.
    pub fn copy(from: &Path, to: &Path) -> Result<()> {
        copy::copy(from, to)
    }

    /// Whether there is a database already. Ask before [`Sqlite::open`]: a tool that only looks should not leave an
    /// empty one behind.
    pub fn exists(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|file| file.len() > 0)
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn commit(&self, acceptance: Acceptance) -> Result<Committed> {
        self.check_room(Share::Mail).await?;
        let acceptance = match self.journalled(acceptance).await? {
            Kept::InJournal(committed) => return Ok(committed),
            Kept::Nowhere(acceptance) => *acceptance,
        };
        self.write(move |change| intake::commit(change, acceptance)).await
    }

    async fn is_sealed_thread(&self, hashes: Vec<[u8; 32]>) -> Result<bool> {
        if hashes.is_empty() {
            return Ok(false);
        }
        self.readers.read(move |db| intake::is_sealed_thread(db, &hashes)).await
    }

    async fn claim_due(&self, now: Timestamp, lease: Timestamp, limit: usize) -> Result<Vec<Item>> {
        self.claim(now, lease, limit).await
    }

    async fn release_claims(&self) -> Result<()> {
        self.write(queue::release_claims).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        match self.ready_since() {
            Some(since) => Ok(Some(since)),
            None => self.next_row_due().await,
        }
    }

    async fn finish_attempt(&self, attempt: Attempt) -> Result<()> {
        self.finish(attempt).await
    }

    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        self.list().await
    }

    async fn retry(&self, item: Option<QueueId>, now: Timestamp, event: Option<Event>) -> Result<u64> {
        self.wait_for_row(item.as_ref()).await?;
        self.write(move |change| queue_admin::retry(change, item, now, event)).await
    }

    async fn hurry(&self, now: Timestamp) -> Result<()> {
        self.write(move |change| queue_admin::hurry(change, now)).await
    }

    async fn drop_item(&self, item: QueueId, event: Event) -> Result<bool> {
        self.wait_for_row(Some(&item)).await?;
        let was_there = self.write(move |change| queue_admin::drop_item(change, &item, event)).await?;
        // A server beside us does this by itself; where there is none, nobody would before the next start.
        if self.journal.is_none() {
            self.destroy_unused_keys().await?;
        }
        Ok(was_there)
    }

    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>> {
        self.readers.read(move |db| transfers::find(db, &id)).await
    }

    async fn transfers(&self) -> Result<Vec<Transfer>> {
        self.readers.read(transfers::list).await
    }

    async fn begin_try(&self, link: Link, rule: TryRule, now: Timestamp) -> Result<Try> {
        self.write(move |change| access::begin_try(change, &link, rule, now)).await
    }

    async fn open(&self, session: Session, event: Event) -> Result<()> {
        self.check_room(Share::Mail).await?;
        self.write(move |change| access::open(change, &session, event)).await
    }

    async fn session(&self, id: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Result<Option<Session>> {
        let Some(session) = self.readers.read(move |db| access::session(db, id, idle_since)).await? else {
            return Ok(None);
        };
        if now.duration_since(session.used) < USE_NOTED {
            return Ok(Some(session));
        }
        // It may have ended between the two: then the answer is the later one.
        let live = self.write(move |change| access::touch(change, id, now)).await?;
        Ok(live.then_some(Session { used: now, ..session }))
    }

    async fn end_session(&self, id: [u8; 32], event: Event) -> Result<()> {
        self.write(move |change| access::end_session(change, id, event)).await
    }

    async fn sweep_sessions(&self, idle_since: Timestamp) -> Result<u64> {
        self.write(move |change| access::sweep_sessions(change, idle_since)).await
    }

    async fn expire(&self, closed: Timestamp, now: Timestamp) -> Result<Vec<TransferId>> {
        self.write(move |change| transfers::expire(change, closed, now)).await
    }

    async fn begin_turn(&self, now: Timestamp) -> Result<Turn> {
        self.write(move |change| reminders::begin_turn(change, now)).await
    }

    async fn due_reminders(
        &self,
        now: Timestamp,
        last_days: Timestamp,
        quiet_since: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueReminder>> {
        self.readers.read(move |db| reminders::due_reminders(db, now, last_days, quiet_since, limit)).await
    }

    async fn remind(&self, reminders: Reminders) -> Result<usize> {
        self.write(move |change| reminders::remind(change, reminders)).await
    }

    async fn due_downloads(&self, quiet_since: Timestamp, limit: usize) -> Result<Vec<Link>> {
        self.readers.read(move |db| reminders::due_downloads(db, quiet_since, limit)).await
    }

    async fn follow_up(&self, link: Link, notice: NewItem, quiet_since: Timestamp) -> Result<bool> {
        self.write(move |change| reminders::follow_up(change, &link, &notice, quiet_since)).await
    }

    async fn forget(&self, before: Forget) -> Result<usize> {
        self.write(move |change| reminders::forget(change, before)).await
    }

    async fn recall(&self, recall: Recall) -> Result<Vec<u16>> {
        self.write(move |change| recall::recall(change, recall)).await
    }

    async fn extend(&self, extension: Extension) -> Result<bool> {
        self.write(move |change| status::extend(change, extension)).await
    }

    async fn clear_tries(&self, link: Link, event: Event) -> Result<bool> {
        self.write(move |change| access::clear_tries(change, &link, event)).await
    }

    async fn report(&self, link: Link, report: DeliveryReport) -> Result<bool> {
        self.write(move |change| status::report(change, &link, &report)).await
    }

    async fn reports(&self, transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
        self.readers.read(move |db| status::reports(db, &transfer)).await
    }

    async fn send(&self, notice: LimitedNotice, now: Timestamp) -> Result<Sent> {
        match self.write(move |change| status::send(change, notice, now)).await {
            Err(StoreError::TooMany(again)) => Ok(Sent::NotBefore(again)),
            sent => sent,
        }
    }

    async fn downloaded(&self, fetch: Fetch) -> Result<()> {
        self.write(move |change| downloads::noted(change, fetch)).await
    }

    async fn is_noted(&self, session: [u8; 32], what: String, whole: bool, now: Timestamp) -> Result<bool> {
        self.readers.read(move |db| downloads::is_noted(db, session, &what, whole, now)).await
    }

    async fn part_lost(
        &self,
        transfer: TransferId,
        part: u32,
        event: Event,
        notice: Option<NewItem>,
    ) -> Result<bool> {
        self.write(move |change| lost::part(change, &transfer, part, event, notice)).await
    }

    async fn downloads(&self, transfer: TransferId) -> Result<Vec<Download>> {
        self.readers.read(move |db| downloads::of(db, &transfer)).await
    }

    async fn trail(&self, transfer: TransferId) -> Result<Vec<Entry>> {
        self.readers.read(move |db| status::trail(db, &transfer)).await
    }

    async fn doomed_blobs(&self, limit: usize) -> Result<Vec<BlobName>> {
        self.readers.read(move |db| blobs::doomed(db, limit)).await
    }

    async fn forget_blobs(&self, names: Vec<BlobName>) -> Result<()> {
        self.write(move |change| blobs::forget(change, &names)).await
    }

    async fn orphans(&self, names: Vec<BlobName>) -> Result<Vec<BlobName>> {
        self.readers.read(move |db| blobs::orphans(db, names)).await
    }

    async fn named_blobs(&self, after: Option<BlobName>, limit: usize) -> Result<Vec<NamedBlob>> {
        self.readers.read(move |db| blobs::named(db, after.as_ref(), limit)).await
    }

    async fn take(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>> {
        self.write(move |change| limits::take(change, &bucket, rate, now)).await
    }

    async fn record(&self, event: Event) -> Result<()> {
        self.write(move |change| change.record(event)).await
    }

    async fn destroy_keys(&self) -> Result<Destroyed> {
        self.destroy_unused_keys().await
    }

    async fn disk(&self) -> Result<Disk> {
        self.disk_for_rows().await
    }

    async fn shrink_log(&self) -> Result<()> {
        self.shrink_idle_log().await
    }

    async fn few_keys(&self) {
        self.ring.low().await;
    }

    async fn gauges(&self, now: Timestamp) -> Result<Gauges> {
        let mut gauges = self.readers.read(move |db| limits::gauges(db, now)).await?;
        self.add_journal(&mut gauges);
        Ok(gauges)
    }
}

#[async_trait]
impl DraftStore for Sqlite {
    async fn draft(&self, author: Author) -> Result<Option<DraftRow>> {
        self.readers.read(move |db| drafts::find(db, &author)).await
    }

    async fn save_draft(&self, author: Author, typed: Vec<u8>, now: Timestamp) -> Result<()> {
        self.check_room(Share::Pages).await?;
        self.write(move |change| drafts::save(change, &author, Some(&typed), now).map(drop)).await
    }

    async fn add_upload(
        &self,
        author: Author,
        upload: NewUploadRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<Added> {
        self.check_room(Share::Pages).await?;
        self.write(move |change| drafts::add_upload(change, &author, &upload, limits, now)).await
    }

    async fn set_length(
        &self,
        author: Author,
        upload: UploadId,
        length: u64,
        limits: UploadLimits,
    ) -> Result<Added> {
        self.write(move |change| drafts::set_length(change, &author, &upload, length, limits)).await
    }

    async fn add_piece(
        &self,
        author: Author,
        upload: UploadId,
        offset: u64,
        piece: PieceRow,
        limits: UploadLimits,
        now: Timestamp,
    ) -> Result<Added> {
        self.check_room(Share::Pages).await?;
        self.write(move |change| drafts::add_piece(change, &author, &upload, offset, &piece, limits, now))
            .await
    }

    async fn upload_room(&self, author: Author, limits: UploadLimits) -> Result<u64> {
        self.readers.read(move |db| drafts::upload_room(db, &author, limits)).await
    }

    async fn remove_upload(
        &self,
        author: Author,
        upload: UploadId,
        now: Timestamp,
        event: Option<Event>,
    ) -> Result<bool> {
        self.write(move |change| drafts::remove_upload(change, &author, &upload, now, event)).await
    }

    async fn mark_scanned(&self, author: Author, upload: UploadId, now: Timestamp) -> Result<bool> {
        self.write(move |change| drafts::mark_scanned(change, &author, &upload, now)).await
    }

    async fn sweep_drafts(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64> {
        self.write(move |change| drafts::sweep(change, idle_since, now)).await
    }

    async fn add_code(&self, code: NewCode, limits: CodeLimits) -> Result<Option<Timestamp>> {
        self.check_room(Share::Pages).await?;
        self.write(move |change| verification::add(change, code, limits)).await
    }

    async fn code(&self, author: Author) -> Result<Option<CodeRow>> {
        self.readers.read(move |db| verification::code(db, &author)).await
    }

    async fn try_code(
        &self,
        author: Author,
        hash: [u8; 32],
        tries: u32,
        now: Timestamp,
        browser: BrowserRow,
        event: Event,
    ) -> Result<CodeTry> {
        self.write(move |change| verification::try_code(change, &author, hash, tries, now, &browser, event))
            .await
    }

    async fn browser(&self, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>> {
        self.readers.read(move |db| verification::browser(db, browser, now)).await
    }

    async fn forget_browser(&self, browser: [u8; 32]) -> Result<()> {
        self.write(move |change| verification::forget_browser(change, browser)).await
    }

    async fn last_reply(&self, author: Author, since: Timestamp) -> Result<Option<Vec<u8>>> {
        self.readers.read(move |db| drafts::last_reply(db, &author, since)).await
    }
}
