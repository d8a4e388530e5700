//! Keys of short life: each queued body is sealed under one of its own, which is destroyed when the mail is gone.
//! What is left of the body in a log, a freed page or an unlinked file cannot be read from then on, not with
//! `master.key` either (docs/decisions/0010). Taken by `outbox/body`, destroyed by the store, which knows what is live.
//!
//! A key lies in a *slot* of a [`sheet`](super::sheet): 32 random bytes at 32 times the number of the slot. Sheets are kept
//! in files in `<data_dir>/keys/` (folder 0700, files 0600, [`sheet_files`](super::sheet_files)), which have random names
//! of eight hexadecimal digits, no header and no fixed length; or, where several nodes share one store, in objects of the
//! blob store (`store/postgresql/sheets`). A body's key follows from its slot, its salt and `master.key`, so that the
//! sheets alone open nothing.
//!
//! - Keys are made ahead, and are durable before they are free to be taken: mail waits for no flush of them.
//! - Destroying a key is putting a new one in its place. The new one is the next that is taken.
//! - A sheet belongs to one process. What a process leaves behind another takes over.
//! - Whoever holds a shared lock on the folder ([`keep_all`]) makes every process put off destroying keys.
//!
//! What must never happen: a key that is used before it is durable, or destroyed while a message may still need it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zeroize::Zeroizing;

pub use super::sheet::KeyId;
use super::sheet::{Changes, KEY, Sheet, SheetKeys, SheetStore, Slot, fresh};
use super::sheet_files::{self, SheetFiles};

/// Keys in a sheet of the server. With half of them free it makes others free, at the latest.
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

    /// The key: from the keyring that it was taken from in this process, else from `ring`.
    pub fn find(&self, ring: &Keyring) -> io::Result<Zeroizing<[u8; KEY]>> {
        self.hold.as_ref().map_or(ring, |hold| &hold.ring).find(self.id)
    }

    /// Whether it was taken from this keyring, in this process.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_from(&self, ring: &Keyring) -> bool {
        self.hold.as_ref().is_some_and(|hold| Arc::ptr_eq(&hold.ring.0, &ring.0))
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

/// The keys that one process takes from, and those that it finds beside them. Clones are the same keyring.
#[derive(Clone)]
pub struct Keyring(Arc<Shared>);

struct Shared {
    store: Box<dyn SheetStore>,
    /// Keys in a new sheet.
    slots: usize,
    /// With fewer of them free, it is time to make others.
    ahead: usize,
    /// Whether somebody who finds no key free waits until a sheet was made.
    waits: bool,
    state: Mutex<State>,
    /// Held while sheets are written.
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
    /// For the server, with files in `folder`.
    pub fn of_server(folder: PathBuf) -> Self {
        Self::new(Box::new(SheetFiles::new(folder)), SERVER, SERVER / 2, true)
    }

    /// For a command line tool; makes nothing before a key is taken.
    pub fn of_tool(folder: PathBuf) -> Self {
        Self::new(Box::new(SheetFiles::new(folder)), TOOL, TOOL / 2, true)
    }

    /// Keys that end with the process: for what is never kept.
    pub fn in_memory() -> Self {
        Self::new(Box::new(Memory::default()), TOOL, TOOL / 2, true)
    }

    /// For the server of a node, with sheets that are reached over a network: a whole one is always free ahead, and when
    /// there is none left nobody waits for one.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_node(store: Box<dyn SheetStore>) -> Self {
        Self::new(store, SERVER, SERVER, false)
    }

    /// For a command line tool beside such nodes.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_tool_beside_nodes(store: Box<dyn SheetStore>) -> Self {
        Self::new(store, TOOL, TOOL / 2, true)
    }

    /// For a move, which may take many keys at once.
    #[cfg(feature = "cluster")]
    pub(crate) fn of_move(store: Box<dyn SheetStore>) -> Self {
        Self::new(store, SERVER, SERVER / 2, true)
    }

    /// Keeps keys of another keyring, which have other names here. They are durable when this returns, and as good as kept for
    /// rows that name them.
    #[cfg(feature = "cluster")]
    pub(crate) fn import(&self, keys: &[Zeroizing<[u8; KEY]>]) -> io::Result<Vec<KeyId>> {
        let mut names = Vec::new();
        for keys in keys.chunks(SERVER) {
            // No reallocation may leave a copy behind.
            let mut sheet = Zeroizing::new(Vec::with_capacity(keys.len() * KEY));
            keys.iter().for_each(|key| sheet.extend_from_slice(&key[..]));
            let number = self.0.store.create(&sheet)?;
            self.state().sheets.insert(number, Sheet::new(sheet, Slot::Kept));
            names.extend((0..keys.len() as u32).map(|slot| KeyId::new(number, slot)));
        }
        Ok(names)
    }

    fn new(store: Box<dyn SheetStore>, slots: usize, ahead: usize, waits: bool) -> Self {
        let (state, changing, low) = (Mutex::default(), Mutex::default(), Notify::new());
        Self(Arc::new(Shared { store, slots, ahead, waits, state, changing, low }))
    }

    /// A key that was never used. Waits for the sheets only when there is none left, and not on a node.
    pub fn take(&self) -> io::Result<(KeyRef, Zeroizing<[u8; KEY]>)> {
        loop {
            if let Some(taken) = self.pop() {
                return Ok(taken);
            }
            if !self.0.waits {
                self.0.low.notify_one();
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "no key of short life is free"));
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
        if state.free.len() < self.0.ahead {
            self.0.low.notify_one();
        }
        let sheet = state.sheets.get_mut(&id.sheet())?;
        *sheet.slots.get_mut(id.slot() as usize)? = Slot::Held;
        let key = sheet.key(id.slot())?;
        Some((KeyRef { id, hold: Some(Arc::new(Hold { id, ring: self.clone() })) }, key))
    }

    /// A key that is in use.
    pub fn find(&self, id: KeyId) -> io::Result<Zeroizing<[u8; KEY]>> {
        let found = self.find_here(id).unwrap_or_else(|| self.0.store.peek(id));
        found.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => gone(),
            _ => error,
        })
    }

    /// The same, if its sheet is one of this process.
    pub(crate) fn find_here(&self, id: KeyId) -> Option<io::Result<Zeroizing<[u8; KEY]>>> {
        let state = self.state();
        let sheet = state.sheets.get(&id.sheet())?;
        let slot = sheet.slots.get(id.slot() as usize);
        let key = slot.filter(|slot| !matches!(slot, Slot::Free | Slot::Spent));
        Some(key.and_then(|_| sheet.key(id.slot())).ok_or_else(gone))
    }

    /// Waits until few keys are free.
    pub async fn low(&self) {
        self.0.low.notified().await;
    }

    /// Takes over what other processes have left, and gives all keys that nothing in memory needs: those of them that
    /// the store does not need either are for [`Keyring::destroy`]. Ask the store afterwards, not before.
    pub fn unheld(&self) -> io::Result<Vec<KeyId>> {
        self.look()?;
        let state = self.state();
        let of_sheet = |(number, sheet): (&u32, &Sheet)| {
            let kept =
                (0..).zip(sheet.slots.clone()).filter(|(_, slot)| matches!(slot, Slot::Kept | Slot::Spent));
            let number = *number;
            kept.map(move |(slot, _)| KeyId::new(number, slot)).collect::<Vec<_>>()
        };
        Ok(state.sheets.iter().flat_map(of_sheet).collect())
    }

    fn look(&self) -> io::Result<()> {
        let known = self.state().sheets.keys().copied().collect();
        let Changes { taken, lost } = self.0.store.look(&known)?;
        let State { sheets, free } = &mut *self.state();
        if !lost.is_empty() {
            sheets.retain(|number, _| !lost.contains(number));
            free.retain(|id| !lost.contains(&id.sheet()));
        }
        for (number, keys) in taken {
            sheets.entry(number).or_insert_with(|| Sheet::new(keys, Slot::Kept));
        }
        Ok(())
    }

    /// The store needs these keys, and will say when it does not any more: [`Keyring::unheld`] leaves them out.
    #[cfg(feature = "cluster")]
    pub(crate) fn lasting(&self, keys: &[KeyId]) {
        self.change(keys, Slot::Kept, Slot::Lasting);
    }

    /// What the store needed of these has ended.
    #[cfg(feature = "cluster")]
    pub(crate) fn ended(&self, keys: &[KeyId]) {
        self.change(keys, Slot::Lasting, Slot::Kept);
    }

    /// The numbers of this process's sheets.
    #[cfg(feature = "cluster")]
    pub(crate) fn sheets(&self) -> Vec<u32> {
        self.state().sheets.keys().copied().collect()
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
        if self.state().free.len() < self.0.ahead {
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

    /// New keys in the place of the spent ones. Nobody waits for the sheet's being written: the state is not locked meanwhile.
    fn renew(&self, number: u32) -> io::Result<()> {
        let slots = self.state().sheets.get(&number).map_or(0, |sheet| sheet.slots.len());
        let new = fresh(slots);
        let keys = {
            let mut state = self.state();
            let Some(sheet) = state.sheets.get_mut(&number) else { return Ok(()) };
            sheet.replace_spent(&new);
            sheet.keys.clone()
        };
        self.0.store.replace(number, &keys)?;
        let State { sheets, free } = &mut *self.state();
        let slots = sheets.get_mut(&number).into_iter().flat_map(|sheet| &mut sheet.slots);
        for (slot, state) in (0..).zip(slots).filter(|(_, state)| **state == Slot::Spent) {
            *state = Slot::Free;
            free.push(KeyId::new(number, slot));
        }
        Ok(())
    }

    /// After a backlog: sheets whose keys are all free go, as long as the others have a sheet's worth of free ones.
    fn drop_surplus(&self) -> io::Result<()> {
        let mut gone = Vec::new();
        {
            let State { sheets, free } = &mut *self.state();
            let mut left = free.len();
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
        }
        self.0.store.remove(&gone)
    }

    fn add_sheet(&self) -> io::Result<()> {
        let keys = fresh(self.0.slots);
        let number = self.0.store.create(&keys)?;
        let mut state = self.state();
        state.sheets.insert(number, Sheet::new(keys, Slot::Free));
        state.free.extend((0..self.0.slots as u32).map(|slot| KeyId::new(number, slot)));
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

    #[cfg(feature = "cluster")]
    fn change(&self, keys: &[KeyId], from: Slot, to: Slot) {
        let mut state = self.state();
        for id in keys {
            let sheet = state.sheets.get_mut(&id.sheet());
            match sheet.and_then(|sheet| sheet.slots.get_mut(id.slot() as usize)) {
                Some(slot) if *slot == from => *slot = to,
                _ => {}
            }
        }
    }

    /// Only one process destroys at a time, and none while a backup is made.
    fn unless_kept(&self, work: impl FnOnce() -> io::Result<()>) -> io::Result<Destroyed> {
        match self.0.store.begin_destroying()? {
            Some(_alone) => work().map(|()| Destroyed::All),
            None => Ok(Destroyed::Later),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// While what this gives is held, no process destroys a key of this folder: for a backup, which copies database, journal, blobs
/// and keys. `None` where no key was ever made.
pub fn keep_all(folder: &Path) -> io::Result<Option<File>> {
    sheet_files::keep_all(folder)
}

/// Copies the keys `wanted` from one folder into another, and no other key. Hold [`keep_all`] since before it was
/// found out which are wanted.
pub fn copy(folder: &Path, target: &Path, wanted: &HashSet<KeyId>) -> io::Result<()> {
    let is_wanted = |id| wanted.contains(&id);
    sheet_files::numbers(folder)?
        .into_iter()
        .try_for_each(|number| sheet_files::copy(folder, target, number, &is_wanted))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the key of this message is not among the keys")
}

/// Where nothing is kept.
#[derive(Default)]
struct Memory {
    sheets: AtomicU32,
}

impl SheetStore for Memory {
    fn create(&self, _: &SheetKeys) -> io::Result<u32> {
        Ok(self.sheets.fetch_add(1, Ordering::Relaxed))
    }
    fn replace(&self, _: u32, _: &SheetKeys) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &[u32]) -> io::Result<()> {
        Ok(())
    }
    fn look(&self, _: &HashSet<u32>) -> io::Result<Changes> {
        Ok(Changes::default())
    }
    fn peek(&self, _: KeyId) -> io::Result<Zeroizing<[u8; KEY]>> {
        Err(gone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
