//! The files of the journal, and which of them can be used anew: they go in the order in which they came, each when
//! none of its messages is left, because a "done" in a later file may be about a message in an earlier one.
//! Used by `writer` alone, by one writer at a time.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::segment::{Batch, Segment};
use crate::id::{BlobName, QueueId};
use crate::store::Result;
use crate::store::room::Disk;

/// Files that are kept for later use, unless the disk has less room than this.
const SPARE: usize = 2;
const PLENTY: u64 = 128 << 20;

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

    /// Appends and flushes; when it returns, all of the batch is on disk.
    pub fn append(&mut self, batch: &mut Batch) -> io::Result<()> {
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

    /// A message that was just appended needs its file until it is [`Files::done`].
    pub fn holds(&mut self, item: QueueId) {
        let number = self.current.number();
        self.homes.insert(item, number);
        *self.counts.entry(number).or_default() += 1;
    }

    /// These need their files no more.
    pub fn done(&mut self, items: &[QueueId]) {
        for item in items {
            if let Some(number) = self.homes.remove(item)
                && let Some(count) = self.counts.get_mut(&number)
            {
                *count -= 1;
            }
        }
    }

    /// Takes back files that hold nothing any more.
    pub fn retire(&mut self) {
        while let Some((number, path)) = self.full.front()
            && self.counts.get(number).is_none_or(|count| *count == 0)
        {
            if let Err(error) = Segment::clear(path) {
                tracing::error!(%error, "the journal cannot be cleared; trying again");
                return;
            }
            self.counts.remove(number);
            self.spare.extend(self.full.pop_front().map(|(_, path)| path));
            self.drop_spare();
        }
    }

    fn drop_spare(&mut self) {
        let has_plenty = Disk::at(&self.folder).is_ok_and(|disk| disk.free >= PLENTY);
        let most = if has_plenty { SPARE } else { 0 };
        while self.spare.len() > most
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
