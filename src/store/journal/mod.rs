//! The journal: where ordinary mail waits for its first attempt. A record is appended when a message is
//! accepted and one when it is delivered; records that come at the same time share one flush of the disk. Most mail
//! is gone again within moments and never becomes a row. What waits longer, or is not delivered at the first
//! attempt, is moved into the database by the `handover` of each store, which owns the journal and is its only caller
//! (docs/decisions/0008).
//!
//! What must never happen: an acceptance that is answered before its record is on disk (C02), a file that is used
//! anew while one of its messages is only there (C01), a delivery that ends before its record is on disk (H02).

mod files;
mod live;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use self::files::Files;
use self::live::Live;
pub use self::live::Waiting;
use self::segment::{ROOM, Segment};
use self::writer::Writer;
use crate::clock::Timestamp;
use crate::envelope::Envelope;
use crate::id::{FolderId, OrganisationId, QueueId};
use crate::secret::keyring::{KeyId, KeyRef};
use crate::store::turns::ClaimShares;
use crate::store::{
    Body, BodyData, Item, NewItem, QueueEntry, QueueGauge, QueueItemKind, Result, StoreError, Track, at,
};

/// Bytes of all mail that may wait here. A message counts at least for [`LEAST`].
const MOST: usize = 64 << 20;
const LEAST: usize = 16 << 10;
/// Mail that finds no place waits so long for one, then goes into the database directly.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long mail waits here; then it is moved into the database, where an administrator can see it.
const STAY: Duration = Duration::from_secs(5);
/// How long a tool waits for a message to become a row, and how often it looks.
const ROW_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long to wait for a command line tool that reads what a crash left.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// A journal that this process owns.
pub struct Journal {
    live: Arc<Live>,
    places: Arc<Semaphore>,
    /// Read while a delivery is being recorded, written while mail is moved: what moves does not end.
    moving: RwLock<()>,
    writer: Writer,
}

/// What a journal holds when it is opened: mail that was accepted and not delivered. It stays in its files until
/// [`Found::clear`].
pub struct Found {
    /// The mail, oldest first.
    pub items: Vec<NewItem>,
    /// Mail that was delivered, or is in the database, and whose record has not been written over yet: without its body.
    pub ended: Vec<NewItem>,
    folder: PathBuf,
    files: Vec<PathBuf>,
    last: u64,
    lock: File,
}

impl Found {
    /// Reads a journal; `None` while another process owns it.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        if !fs::exists(folder).map_err(|error| at(folder, error))? {
            let mut maker = DirBuilder::new();
            maker.recursive(true).mode(0o700).create(folder).map_err(|error| at(folder, error))?;
            if let Some(parent) = folder.parent() {
                File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| at(parent, error))?;
            }
        }
        let lock = File::open(folder).map_err(|error| at(folder, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(at(folder, error).into()),
        }
        let files = files_of(folder)?;
        let (last, Records { waiting, ended }) = read_all(&files)?;
        Ok(Some(Self { items: waiting, ended, folder: folder.to_owned(), files, last, lock }))
    }

    /// The same for the server, which owns the journal for as long as it runs: a tool that is reading it just now
    /// is waited for.
    pub fn read_to_own(folder: &Path) -> Result<Self> {
        let begun = Instant::now();
        loop {
            match Self::read(folder)? {
                Some(found) => return Ok(found),
                None if begun.elapsed() < LOCK_PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                None => return Err(StoreError::InUse),
            }
        }
    }

    /// Empties the journal: call it when all of it is in the database.
    pub fn clear(mut self) -> Result<Cleared> {
        let mut kept = Vec::new();
        for file in self.files {
            match Segment::is_old(&file)? {
                true => Segment::destroy(&file)?,
                false => {
                    Segment::clear(&file)?;
                    kept.push(file);
                }
            }
        }
        self.files = kept;
        Ok(Cleared(self))
    }
}

/// The mail in a journal that another process owns, as it is just now; without the runtime's waiting for it.
pub async fn peek_from(folder: PathBuf) -> Result<Vec<NewItem>> {
    spawn_blocking(move || peek(&folder)).await.map_err(|_| StoreError::Closed)?
}

/// Waits while a message, or any, is in a journal that another process owns, which makes rows of what stays there.
pub async fn wait_while_there(folder: &Path, items: Option<&[QueueId]>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < ROW_PATIENCE {
        let journalled = peek_from(folder.to_owned()).await?;
        if !journalled.iter().any(|other| items.is_none_or(|items| items.contains(&other.id))) {
            break;
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// The queue: rows, and what a journal holds. That must have been read first, for a message may become a row meanwhile, but
/// never the other way round.
pub fn with_rows(journalled: &[NewItem], mut rows: Vec<QueueEntry>) -> Vec<QueueEntry> {
    let known: HashSet<_> = rows.iter().map(|entry| entry.id.clone()).collect();
    rows.extend(journalled.iter().filter(|item| !known.contains(&item.id)).map(QueueEntry::of));
    rows.sort_by_key(|entry| entry.created);
    rows
}

/// The mail in a journal that another process owns, as it is just now.
pub fn peek(folder: &Path) -> Result<Vec<NewItem>> {
    if !fs::exists(folder).map_err(|error| at(folder, error))? {
        return Ok(Vec::new());
    }
    read_all(&files_of(folder)?).map(|(_, records)| records.waiting)
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| at(folder, error))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// The highest number, and what the records say.
fn read_all(files: &[PathBuf]) -> Result<(u64, Records)> {
    let mut segments = Vec::new();
    for file in files {
        match Segment::read(file) {
            Ok(segment) => segments.extend(segment),
            // Its owner needed it no more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    segments.sort_by_key(|(number, _)| *number);
    let last = segments.last().map_or(0, |(number, _)| *number);
    Ok((last, Records::read(segments.into_iter().flat_map(|(_, records)| records))?))
}

/// A journal that holds nothing.
pub struct Cleared(Found);

impl Cleared {
    /// Begins anew.
    pub fn start(self) -> Result<Journal> {
        let Self(Found { folder, files, last, lock, .. }) = self;
        let live = Arc::new(Live::default());
        let writer = Writer::start(Files::open(folder, files, last + 1)?, lock, Arc::clone(&live))?;
        Ok(Journal {
            live,
            places: Arc::new(Semaphore::new(MOST / LEAST)),
            moving: RwLock::default(),
            writer,
        })
    }
}

impl Journal {
    /// Keeps a message; from then on it can be claimed. It comes back where there is no place for it here.
    pub async fn keep(&self, item: NewItem) -> Result<Option<NewItem>> {
        let BodyData::Inline(body) = &item.body.data else { return Ok(Some(item)) };
        let record = record_of(&item, body)?;
        if record.len() as u64 > ROOM / 2 {
            return Ok(Some(item));
        }
        let places = u32::try_from(record.len().div_ceil(LEAST)).unwrap_or(u32::MAX);
        let wait = timeout(PATIENCE, Arc::clone(&self.places).acquire_many_owned(places));
        let Ok(Ok(place)) = wait.await else { return Ok(Some(item)) };
        self.writer.keep(record, item, place).await?;
        Ok(None)
    }

    /// Claims mail that is not claimed, of the organisations in turn and of each the oldest: at most `limit` items, and of no
    /// organisation more than its share, which is used up by it.
    pub fn claim(
        &self,
        limit: usize,
        shares: &mut ClaimShares,
        owner: &FolderId,
        lease: Timestamp,
    ) -> Vec<Item> {
        self.live.claim(limit, shares, owner, lease)
    }

    /// Whether mail waits to be claimed.
    pub fn has_ready(&self) -> bool {
        self.live.has_ready()
    }

    /// How many messages are here, and when the oldest was accepted.
    pub fn figures(&self) -> (u64, Option<Timestamp>) {
        self.live.figures()
    }

    /// What is here, for monitoring: of each organisation.
    pub fn gauges(&self) -> Vec<QueueGauge> {
        let of_each = self.live.figures_of_each().into_iter();
        let kind = QueueItemKind::Message;
        of_each.map(|(organisation, (items, due))| QueueGauge { kind, organisation, items, due }).collect()
    }

    /// Take it before an attempt is recorded, and keep it until it is: meanwhile nothing is moved.
    pub async fn recording(&self) -> RwLockReadGuard<'_, ()> {
        self.moving.read().await
    }

    /// The message, if it is here and not in the database.
    pub fn find(&self, item: &QueueId) -> Option<Waiting> {
        self.live.find(item)
    }

    /// The message is delivered to everybody.
    pub async fn delivered(&self, item: QueueId) -> Result<()> {
        self.writer.done(vec![item], Vec::new()).await
    }

    /// Take it before mail is moved, and keep it until [`Journal::moved`] is done.
    pub async fn moving(&self) -> RwLockWriteGuard<'_, ()> {
        self.moving.write().await
    }

    /// Whether there is mail that has waited long enough to be moved.
    pub fn has_old(&self) -> bool {
        self.live.has_older(STAY)
    }

    /// Takes mail to be moved, all or what has waited long enough. It can no longer be claimed: report how it
    /// ended, with [`Journal::moved`] or [`Journal::not_moved`].
    pub fn take_to_move(&self, all: bool) -> Vec<Waiting> {
        self.live.take_older(if all { Duration::ZERO } else { STAY })
    }

    /// These are in the database now.
    pub async fn moved(&self, items: Vec<QueueId>) -> Result<()> {
        let keys = self.live.close(&items);
        self.writer.done(items, keys).await
    }

    /// These are not, and can be claimed again.
    pub fn not_moved(&self, items: &[QueueId]) {
        self.live.give_back(items);
    }
}

/// What a record says about a message, besides its body.
#[derive(Serialize, Deserialize)]
struct Meta<E> {
    id: QueueId,
    envelope: E,
    created: Timestamp,
    key: Option<KeyId>,
    /// None in a record of before there could be several organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organisation: Option<OrganisationId>,
    /// None in a record of before there was such a thing.
    #[serde(default)]
    track: Track,
}

/// QueueItemKind, length of the description, description, body.
fn record_of(item: &NewItem, body: &[u8]) -> Result<Vec<u8>> {
    let key = item.body.key.as_ref().map(KeyRef::id);
    let (organisation, track) = (item.organisation.clone(), item.track.clone());
    let meta = Meta {
        id: item.id.clone(),
        envelope: &item.envelope,
        created: item.created,
        key,
        organisation,
        track,
    };
    let meta = serde_json::to_vec(&meta).map_err(io::Error::from)?;
    let length = (meta.len() as u32).to_le_bytes();
    Ok([&[KEEP], length.as_slice(), &meta, body].concat())
}

/// The first byte of a record.
const KEEP: u8 = 1;
const DONE: u8 = 2;

/// What records say, in the order of acceptance.
#[derive(Debug)]
struct Records {
    /// Accepted and not done.
    waiting: Vec<NewItem>,
    /// Accepted and done, without bodies.
    ended: Vec<NewItem>,
}

impl Records {
    fn read(records: impl Iterator<Item = Vec<u8>>) -> Result<Self> {
        let (mut items, mut ended) = (HashMap::new(), Vec::new());
        for (place, record) in records.enumerate() {
            match record.split_first() {
                Some((&KEEP, rest)) => {
                    let item = item_of(rest).ok_or(StoreError::Corrupt("message in the journal"))?;
                    items.insert(item.id.clone(), (place, item));
                }
                Some((&DONE, id)) => {
                    let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
                    let done =
                        items.remove::<QueueId>(&id.ok_or(StoreError::Corrupt("name in the journal"))?);
                    ended.extend(done.map(|(_, item)| NewItem {
                        body: Body { key: None, data: BodyData::Inline(Vec::new()) },
                        ..item
                    }));
                }
                _ => return Err(StoreError::Corrupt("record in the journal")),
            }
        }
        let mut items: Vec<_> = items.into_values().collect();
        items.sort_by_key(|(place, _)| *place);
        Ok(Self { waiting: items.into_iter().map(|(_, item)| item).collect(), ended })
    }
}

/// [`record_of`] the other way round, without the kind.
fn item_of(record: &[u8]) -> Option<NewItem> {
    let (length, rest) = record.split_first_chunk::<4>()?;
    let (meta, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let Meta { id, envelope, created, key, organisation, track } =
        serde_json::from_slice::<Meta<Envelope>>(meta).ok()?;
    Some(NewItem {
        id,
        kind: QueueItemKind::Message,
        organisation,
        envelope,
        body: Body { key: key.map(KeyRef::stored), data: BodyData::Inline(body.to_vec()) },
        link: None,
        track,
        created,
    })
}
