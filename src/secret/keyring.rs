//! Keys of short life: each queued body is sealed under one of its own, which is destroyed when the mail is gone.
//! What is left of the body in a log, a freed page or an unlinked file cannot be read from then on, not with
//! `master.key` either (docs/decisions/0010). Taken by `outbox/body`, destroyed by the store, which knows what is live.
//!
//! A key lies in a *slot* of a file in `<data_dir>/keys/` (folder 0700, files 0600, [`sheet`](super::sheet)): 32 random
//! bytes at 32 times the number of the slot. Files have random names of eight hexadecimal digits, no header and no fixed
//! length. A body's key follows from its slot, its salt and `master.key`, so that this folder alone opens nothing.
//!
//! - Keys are made ahead, and are on disk before they are free to be taken: mail waits for no flush of them.
//! - Destroying a key is writing a new one over it, in place, and a flush. The new one is the next that is taken.
//! - A file belongs to the process that has locked it (`flock`). What a process leaves behind the server takes over.
//! - Whoever holds a shared lock on the folder ([`keep_all`]) makes every process put off destroying keys.
//!
//! What must never happen: a key that is used before it is on disk, or destroyed while a message may still need it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zeroize::Zeroizing;

pub use super::sheet::KeyId;
use super::sheet::{self, KEY, Sheet, Slot};

/// Keys in a file of the server. With half of them free it makes others free, at the latest.
const SERVER: usize = 4096;
/// In one of a command line tool, and in memory.
const TOOL: usize = 64;

/// The key that a body is sealed under. As long as one that was taken in this process exists, the key stays; then it
/// stays while the store needs it.
#[derive(Clone)]
pub struct KeyRef {
    id: KeyId,
    hold: Option<Arc<Hold>>,
}

impl KeyRef {
    /// As the store has kept it.
    pub fn stored(id: KeyId) -> Self {
        Self { id, hold: None }
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Nobody knows whether a record that needs this key got to disk: it stays until the next start, which will see.
    pub fn keep_until_restart(&self) {
        if let Some(hold) = &self.hold {
            hold.ring.set(self.id, Slot::Pinned);
        }
    }
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl PartialEq for KeyRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for KeyRef {}

struct Hold {
    id: KeyId,
    ring: Keyring,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.ring.let_go(self.id);
    }
}

/// The keys of one data folder. Clones are the same keyring.
#[derive(Clone)]
pub struct Keyring(Arc<Shared>);

struct Shared {
    /// `None`: in memory only.
    folder: Option<PathBuf>,
    slots: usize,
    state: Mutex<State>,
    /// Held while files are written.
    changing: Mutex<()>,
    low: Notify,
}

#[derive(Default)]
struct State {
    sheets: BTreeMap<u32, Sheet>,
    free: Vec<KeyId>,
}

/// What became of keys that nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// They are gone.
    All,
    /// Somebody holds [`keep_all`].
    Later,
}

impl Keyring {
    /// For the server.
    pub fn of_server(folder: PathBuf) -> Self {
        Self::new(Some(folder), SERVER)
    }

    /// For a command line tool; makes nothing before a key is taken.
    pub fn of_tool(folder: PathBuf) -> Self {
        Self::new(Some(folder), TOOL)
    }

    /// Keys that end with the process: for what is never kept.
    pub fn in_memory() -> Self {
        Self::new(None, TOOL)
    }

    fn new(folder: Option<PathBuf>, slots: usize) -> Self {
        let (state, changing, low) = (Mutex::default(), Mutex::default(), Notify::new());
        Self(Arc::new(Shared { folder, slots, state, changing, low }))
    }

    /// A key that was never used. Touches the disk only when there is none left.
    pub fn take(&self) -> io::Result<(KeyRef, Zeroizing<[u8; KEY]>)> {
        loop {
            if let Some(taken) = self.pop() {
                return Ok(taken);
            }
            let _alone = lock(&self.0.changing);
            if self.state().free.is_empty() {
                self.add_sheet()?;
            }
        }
    }

    fn pop(&self) -> Option<(KeyRef, Zeroizing<[u8; KEY]>)> {
        let mut state = self.state();
        let id = state.free.pop()?;
        if state.free.len() < self.0.slots / 2 {
            self.0.low.notify_one();
        }
        let sheet = state.sheets.get_mut(&id.sheet())?;
        *sheet.slots.get_mut(id.slot() as usize)? = Slot::Held;
        let key = sheet.key(id.slot())?;
        Some((KeyRef { id, hold: Some(Arc::new(Hold { id, ring: self.clone() })) }, key))
    }

    /// A key that is in use.
    pub fn find(&self, id: KeyId) -> io::Result<Zeroizing<[u8; KEY]>> {
        if let Some(sheet) = self.state().sheets.get(&id.sheet()) {
            let slot = sheet.slots.get(id.slot() as usize);
            let key = slot.filter(|slot| !matches!(slot, Slot::Free | Slot::Spent));
            return key.and_then(|_| sheet.key(id.slot())).ok_or_else(gone);
        }
        // Of a tool that is at work beside this process.
        match &self.0.folder {
            Some(folder) => sheet::peek(folder, id).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => gone(),
                _ => error,
            }),
            None => Err(gone()),
        }
    }

    /// Waits until few keys are free.
    pub async fn low(&self) {
        self.0.low.notified().await;
    }

    /// Takes over what other processes have left, and gives all keys that nothing in memory needs: those of them that
    /// the store does not need either are for [`Keyring::destroy`]. Ask the store afterwards, not before.
    pub fn unheld(&self) -> io::Result<Vec<KeyId>> {
        self.adopt()?;
        let state = self.state();
        let of_sheet = |(number, sheet): (&u32, &Sheet)| {
            let kept =
                (0..).zip(sheet.slots.clone()).filter(|(_, slot)| matches!(slot, Slot::Kept | Slot::Spent));
            let number = *number;
            kept.map(move |(slot, _)| KeyId::new(number, slot)).collect::<Vec<_>>()
        };
        Ok(state.sheets.iter().flat_map(of_sheet).collect())
    }

    fn adopt(&self) -> io::Result<()> {
        let Some(folder) = &self.0.folder else { return Ok(()) };
        for number in sheet::numbers(folder)? {
            if self.state().sheets.contains_key(&number) {
                continue;
            }
            if let Some(sheet) = Sheet::adopt(folder, number)? {
                self.state().sheets.insert(number, sheet);
            }
        }
        Ok(())
    }

    /// Overwrites these keys, if nothing has come to need them, and sees to it that enough others are free. On an error
    /// they are still to be destroyed.
    pub fn destroy(&self, keys: &[KeyId]) -> io::Result<Destroyed> {
        let _alone = lock(&self.0.changing);
        let spent: HashSet<u32> = keys.iter().filter(|id| self.spend(**id)).map(|id| id.sheet()).collect();
        let destroyed = match spent.is_empty() {
            true => Destroyed::All,
            false => self.unless_kept(|| {
                spent.into_iter().try_for_each(|number| self.renew(number))?;
                self.drop_surplus()
            })?,
        };
        if self.state().free.len() < self.0.slots / 2 {
            self.add_sheet()?;
        }
        Ok(destroyed)
    }

    fn spend(&self, id: KeyId) -> bool {
        let mut state = self.state();
        let sheet = state.sheets.get_mut(&id.sheet());
        match sheet.and_then(|sheet| sheet.slots.get_mut(id.slot() as usize)) {
            Some(slot @ (Slot::Kept | Slot::Spent)) => {
                *slot = Slot::Spent;
                true
            }
            _ => false,
        }
    }

    /// New keys in the place of the spent ones. Nobody waits for this flush: the state is not locked meanwhile.
    fn renew(&self, number: u32) -> io::Result<()> {
        let mut new = Zeroizing::new(Vec::new());
        let write = {
            let octets = self.state().sheets.get(&number).map_or(0, |sheet| sheet.slots.len() * KEY);
            new.resize(octets, 0);
            super::fill(&mut new);
            let mut state = self.state();
            let Some(sheet) = state.sheets.get_mut(&number) else { return Ok(()) };
            sheet.replace_spent(&new);
            sheet.writer()
        };
        write()?;
        let State { sheets, free } = &mut *self.state();
        let slots = sheets.get_mut(&number).into_iter().flat_map(|sheet| &mut sheet.slots);
        for (slot, state) in (0..).zip(slots).filter(|(_, state)| **state == Slot::Spent) {
            *state = Slot::Free;
            free.push(KeyId::new(number, slot));
        }
        Ok(())
    }

    /// After a backlog: files whose keys are all free go, as long as the others have a file's worth of free ones.
    fn drop_surplus(&self) -> io::Result<()> {
        let Some(folder) = &self.0.folder else { return Ok(()) };
        let State { sheets, free } = &mut *self.state();
        let mut left = free.len();
        let mut gone = Vec::new();
        for (number, sheet) in &*sheets {
            let all = sheet.slots.len();
            if left >= all + self.0.slots && sheet.slots.iter().all(|slot| *slot == Slot::Free) {
                left -= all;
                gone.push(*number);
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        free.retain(|id| !gone.contains(&id.sheet()));
        sheets.retain(|number, _| !gone.contains(number));
        sheet::remove(folder, &gone)
    }

    fn add_sheet(&self) -> io::Result<()> {
        let slots = self.0.slots;
        let (number, sheet) = match &self.0.folder {
            Some(folder) => Sheet::create(folder, slots)?,
            None => (self.state().sheets.len() as u32, Sheet::in_memory(slots)),
        };
        let mut state = self.state();
        state.sheets.insert(number, sheet);
        state.free.extend((0..slots as u32).map(|slot| KeyId::new(number, slot)));
        Ok(())
    }

    fn let_go(&self, id: KeyId) {
        let mut state = self.state();
        let sheet = state.sheets.get_mut(&id.sheet());
        if let Some(slot @ Slot::Held) = sheet.and_then(|sheet| sheet.slots.get_mut(id.slot() as usize)) {
            *slot = Slot::Kept;
        }
    }

    fn set(&self, id: KeyId, new: Slot) {
        let mut state = self.state();
        let sheet = state.sheets.get_mut(&id.sheet());
        if let Some(slot) = sheet.and_then(|sheet| sheet.slots.get_mut(id.slot() as usize)) {
            *slot = new;
        }
    }

    /// Only one process destroys at a time, and none while a backup is made.
    fn unless_kept(&self, work: impl FnOnce() -> io::Result<()>) -> io::Result<Destroyed> {
        let lock = self.0.folder.as_ref().map(File::open).transpose()?;
        match lock.as_ref().map_or(Ok(()), File::try_lock) {
            Ok(()) => work().map(|()| Destroyed::All),
            Err(TryLockError::WouldBlock) => Ok(Destroyed::Later),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// While what this gives is held, no process destroys a key of this folder: for a backup, which copies database, journal, blobs
/// and keys. `None` where no key was ever made.
pub fn keep_all(folder: &Path) -> io::Result<Option<File>> {
    let file = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    file.lock_shared()?;
    Ok(Some(file))
}

/// Copies the keys `wanted` from one folder into another, and no other key. Hold [`keep_all`] since before it was
/// found out which are wanted.
pub fn copy(folder: &Path, target: &Path, wanted: &HashSet<KeyId>) -> io::Result<()> {
    let is_wanted = |id| wanted.contains(&id);
    sheet::numbers(folder)?.into_iter().try_for_each(|number| sheet::copy(folder, target, number, &is_wanted))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the key of this message is not in the folder keys")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
