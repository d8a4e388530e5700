//! The one thread that writes the journal: it takes what is waiting, appends it with one flush, and answers
//! then. It also knows which file can be used anew: files go in the order in which they came, each when
//! none of its messages is left, because a "done" in a later file may be about a message in an earlier one.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::DONE;
use super::live::Live;
use super::segment::{Batch, ROOM, Segment};
use crate::id::{BlobName, QueueId};
use crate::store::{NewItem, Result, StoreError};

/// Commands that may wait before the caller must.
const QUEUE: usize = 1024;
/// A batch is closed at so many octets.
const BATCH: u64 = ROOM / 8;
/// Files that are kept for later use.
const SPARE: usize = 2;

enum Work {
    Keep(Box<Keep>),
    Done(Vec<QueueId>),
}

struct Keep {
    record: Vec<u8>,
    item: NewItem,
    place: OwnedSemaphorePermit,
}

struct Command {
    work: Work,
    caller: oneshot::Sender<Result<()>>,
}

/// The way to the thread. Dropping it finishes what was asked and ends the thread.
pub(super) struct Thread {
    commands: Option<mpsc::Sender<Command>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts it; `lock` is held as long as it runs.
    pub fn start(files: Files, lock: File, live: Arc<Live>) -> Result<Self> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let handle = thread::Builder::new().name("journal".into()).spawn(move || {
            serve(files, queue, &live);
            drop(lock);
        })?;
        Ok(Self { commands: Some(commands), handle: Some(handle) })
    }

    /// Appends a message; when it answers, the message can be claimed.
    pub async fn keep(&self, record: Vec<u8>, item: NewItem, place: OwnedSemaphorePermit) -> Result<()> {
        self.run(Work::Keep(Box::new(Keep { record, item, place }))).await
    }

    /// Appends that these messages need the journal no more.
    pub async fn done(&self, items: Vec<QueueId>) -> Result<()> {
        self.run(Work::Done(items)).await
    }

    /// What was handed over is done even when the caller no longer waits.
    async fn run(&self, work: Work) -> Result<()> {
        let (caller, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(StoreError::Closed)?;
        commands.send(Command { work, caller }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(Err(_)) = self.handle.take().map(JoinHandle::join) {
            tracing::error!("the thread that writes the journal has panicked");
        }
    }
}

fn serve(mut files: Files, mut queue: mpsc::Receiver<Command>, live: &Live) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = Batch::default();
        add(&mut batch, &first.work);
        let mut commands = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            add(&mut batch, &next.work);
            commands.push(next);
        }
        let appended = files.append(&mut batch);
        for Command { work, caller } in commands {
            let answer = match &appended {
                Ok(()) => {
                    files.apply(work, live);
                    Ok(())
                }
                Err(error) => Err(StoreError::File(io::Error::new(error.kind(), error.to_string()))),
            };
            // The caller may have gone; what is on disk stays so.
            caller.send(answer).ok();
        }
        files.retire();
    }
}

fn add(batch: &mut Batch, work: &Work) {
    match work {
        Work::Keep(keep) => batch.push(&[&keep.record]),
        Work::Done(items) => items.iter().for_each(|item| batch.push(&[&[DONE], item.as_str().as_bytes()])),
    }
}

/// The files of the journal.
pub(super) struct Files {
    folder: PathBuf,
    current: Segment,
    /// Full ones before it, oldest first.
    full: VecDeque<(u64, PathBuf)>,
    spare: Vec<PathBuf>,
    /// Messages that only a file holds, by the file's number.
    counts: HashMap<u64, usize>,
    /// Which file holds a message.
    homes: HashMap<QueueId, u64>,
    is_broken: bool,
}

impl Files {
    /// Begins the file `number` in a folder whose files are all cleared.
    pub fn open(folder: PathBuf, mut files: Vec<PathBuf>, number: u64) -> Result<Self> {
        let path = files.pop().unwrap_or_else(|| new_path(&folder));
        let current = begin(&folder, &path, number)?;
        let mut files = Self {
            folder,
            current,
            full: VecDeque::new(),
            spare: files,
            counts: HashMap::new(),
            homes: HashMap::new(),
            is_broken: false,
        };
        files.drop_spare();
        Ok(files)
    }

    fn append(&mut self, batch: &mut Batch) -> io::Result<()> {
        if self.is_broken || !self.current.has_room_for(batch.len()) {
            self.next()?;
        }
        let appended = self.current.append(batch);
        self.is_broken = appended.is_err();
        appended
    }

    fn next(&mut self) -> io::Result<()> {
        let number = self.current.number() + 1;
        let path = self.spare.pop().unwrap_or_else(|| new_path(&self.folder));
        let next = begin(&self.folder, &path, number)?;
        let before = std::mem::replace(&mut self.current, next);
        self.full.push_back((before.number(), before.path().to_owned()));
        self.is_broken = false;
        Ok(())
    }

    /// What was appended is so.
    fn apply(&mut self, work: Work, live: &Live) {
        match work {
            Work::Keep(keep) => {
                let Keep { item, place, .. } = *keep;
                let number = self.current.number();
                self.homes.insert(item.id.clone(), number);
                *self.counts.entry(number).or_default() += 1;
                live.add(item, place);
            }
            Work::Done(items) => {
                for item in &items {
                    if let Some(number) = self.homes.remove(item)
                        && let Some(count) = self.counts.get_mut(&number)
                    {
                        *count -= 1;
                    }
                }
                live.close(&items);
            }
        }
    }

    /// Takes back files that hold nothing any more.
    fn retire(&mut self) {
        while let Some((number, path)) = self.full.front()
            && self.counts.get(number).is_none_or(|count| *count == 0)
        {
            if let Err(error) = Segment::clear(path) {
                tracing::error!(%error, "the journal cannot be cleared; trying again");
                return;
            }
            self.counts.remove(number);
            self.spare.extend(self.full.pop_front().map(|(_, path)| path));
        }
        self.drop_spare();
    }

    fn drop_spare(&mut self) {
        while self.spare.len() > SPARE
            && let Some(path) = self.spare.pop()
        {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(journal = %path.display(), %error, "cannot remove a file");
            }
        }
    }
}

/// The order is in the files; their names say nothing.
fn new_path(folder: &Path) -> PathBuf {
    folder.join(BlobName::random().as_str())
}

/// Begins a segment; its entry in the folder is on disk as well.
fn begin(folder: &Path, path: &Path, number: u64) -> io::Result<Segment> {
    let is_new = !path.exists();
    let segment = Segment::begin(path, number)?;
    if is_new {
        File::open(folder)?.sync_all()?;
    }
    Ok(segment)
}
