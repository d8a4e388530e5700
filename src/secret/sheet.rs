//! A sheet of the keyring: keys of 32 bytes, one behind the other, and nothing else. What each of them is used for is in
//! memory alone; where the keys are kept is behind [`SheetStore`].

use std::collections::HashSet;
use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{fill, random};

/// Bytes of a key.
pub(crate) const KEY: usize = 32;

/// Keys, one behind the other.
pub(crate) type SheetKeys = Zeroizing<Vec<u8>>;

/// Names a key: its sheet and the slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyId(u64);

impl KeyId {
    pub(super) fn new(sheet: u32, slot: u32) -> Self {
        Self(u64::from(sheet) << 32 | u64::from(slot))
    }

    /// As a column holds it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// For a column.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The number of its sheet.
    pub(crate) fn sheet(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Where it is in its sheet.
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32
    }
}

/// What a slot of a sheet is for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Its key is durable and was never used.
    Free,
    /// A [`super::KeyRef`] that was taken in this process still exists.
    Held,
    /// Nothing in memory needs it; the store may.
    Kept,
    /// The store needs it, and will say when it does not any more.
    #[cfg(feature = "cluster")]
    Lasting,
    /// It stays until the next start.
    Pinned,
    /// Nobody needs it; it is to be overwritten.
    Spent,
}

/// Where the sheets of a keyring are kept. Every call may wait for a disk or a network.
pub(crate) trait SheetStore: Send + Sync + 'static {
    /// Keeps these new keys; they are durable when this returns the number of their sheet.
    fn create(&self, keys: &SheetKeys) -> io::Result<u32>;
    /// Keeps these keys in the place of all that the sheet held before.
    fn replace(&self, sheet: u32, keys: &SheetKeys) -> io::Result<()>;
    /// Removes sheets in which no key is left that was ever used.
    fn remove(&self, sheets: &[u32]) -> io::Result<()>;
    /// Takes over what processes that have ended left behind, and tells which of the `known` sheets others have taken over.
    fn look(&self, known: &HashSet<u32>) -> io::Result<Changes>;
    /// A key of a sheet that another process owns. [`io::ErrorKind::NotFound`]: there is none any more.
    fn peek(&self, id: KeyId) -> io::Result<Zeroizing<[u8; KEY]>>;
    /// To be held while keys are destroyed: only one process does so at a time. `None` while a backup is made.
    fn begin_destroying(&self) -> io::Result<Option<Destroying>> {
        Ok(Some(Destroying::default()))
    }
}

/// Which sheets are this process's since [`SheetStore::look`] was last called.
#[derive(Default)]
pub(crate) struct Changes {
    /// With their keys: these too, from now on.
    pub taken: Vec<(u32, SheetKeys)>,
    /// These no longer.
    pub lost: Vec<u32>,
}

/// While it is held, nobody else destroys keys, and no backup begins.
#[derive(Default)]
pub(crate) struct Destroying {
    pub(super) _lock: Option<File>,
}

/// Keys, and what each is used for.
pub(super) struct Sheet {
    pub keys: SheetKeys,
    pub slots: Vec<Slot>,
}

impl Sheet {
    /// All of whose keys are in this state.
    pub fn new(keys: SheetKeys, slot: Slot) -> Self {
        let slots = vec![slot; keys.len() / KEY];
        Self { keys, slots }
    }

    /// The key in a slot.
    pub fn key(&self, slot: u32) -> Option<Zeroizing<[u8; KEY]>> {
        key_at(&self.keys, slot)
    }

    /// Puts new keys in the place of the spent ones.
    pub fn replace_spent(&mut self, new: &[u8]) {
        let keys = self.keys.chunks_exact_mut(KEY).zip(new.chunks_exact(KEY)).zip(&self.slots);
        for ((key, new), _) in keys.filter(|(_, slot)| **slot == Slot::Spent) {
            key.copy_from_slice(new);
        }
    }
}

/// The key in a slot of a sheet.
pub(crate) fn key_at(keys: &[u8], slot: u32) -> Option<Zeroizing<[u8; KEY]>> {
    keys.chunks_exact(KEY).nth(slot as usize)?.try_into().ok().map(Zeroizing::new)
}

/// So many new keys.
pub(super) fn fresh(slots: usize) -> SheetKeys {
    let mut keys = Zeroizing::new(vec![0; slots * KEY]);
    fill(&mut keys);
    keys
}

/// A number for a new sheet. The sign bit of a column stays free.
pub(crate) fn random_number() -> u32 {
    u32::from_le_bytes(random()) >> 1
}
