//! Master keys by *generation*: the first one of an installation is 1, and each rotation adds one. `master.key` holds all that
//! something still needs; which of them is the current one is said by the database, so that a rotation is one commit.
//! What an older generation made is opened with it, what is new is made with the current one.
//!
//! What must never happen: that a key is gone from the file while something needs it; that a file is written in pieces, or by
//! two at once.
//!
//! A key that nothing needs any more is *retired*: what remains of it are two keys derived from it, which tell whether a
//! message belongs to a sealed thread, and whether a sender's link is genuine. Neither opens anything.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{expand, random};

/// Which master key. Less one it fits into six bits of a queued body's header.
pub type Generation = u8;

/// The first of an installation, which made everything that says nothing of generations.
pub const FIRST: Generation = 1;
/// The last one.
pub const LAST: Generation = 64;

/// The first line of a file that does not hold a single key of 32 bytes.
const HEAD: &str = "zegel master keys";
const RETIRED: &str = "retired";
/// A file is refused that is larger: 64 lines.
const LARGEST: usize = 16 * 1024;

type Bytes = Zeroizing<[u8; 32]>;

/// What `master.key` holds.
#[derive(Clone)]
pub struct KeyFile(BTreeMap<Generation, Entry>);

#[derive(Clone)]
enum Entry {
    Whole(Bytes),
    Retired { thread: Bytes, action: Bytes },
}

impl KeyFile {
    /// One with a new key, at this path. Durable when it returns.
    pub fn create(path: &Path) -> io::Result<()> {
        Self::new().replace(path)
    }

    /// Puts all of it into a new file.
    pub fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&self.to_bytes())?;
        file.sync_all()
    }

    fn new() -> Self {
        Self::of_one(Zeroizing::new(random()))
    }

    pub(super) fn of_one(key: Bytes) -> Self {
        Self(BTreeMap::from([(FIRST, Entry::Whole(key))]))
    }

    /// From the bytes of the file: 32 of them are the first key. `None` for anything that we do not write.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if let Ok(key) = bytes.try_into() {
            return Some(Self::of_one(Zeroizing::new(key)));
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST)?;
        let mut lines = text.lines();
        if lines.next()? != HEAD {
            return None;
        }
        let mut found = BTreeMap::new();
        for line in lines {
            let (generation, entry) = parse_line(line)?;
            if found.insert(generation, entry).is_some() {
                return None;
            }
        }
        Some(Self(found)).filter(|file| file.newest().is_some())
    }

    /// From base64, as a secret manager hands it over: of the file, or of 32 bytes.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::parse(&Zeroizing::new(STANDARD.decode(text.trim()).ok()?))
    }

    /// For the file. A single first key stays the 32 bytes that it was.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        if let (1, Some((&FIRST, Entry::Whole(key)))) = (self.0.len(), self.0.first_key_value()) {
            return Zeroizing::new(key.to_vec());
        }
        let mut text = Zeroizing::new(Vec::with_capacity(LARGEST));
        text.extend_from_slice(format!("{HEAD}\n").as_bytes());
        for (generation, entry) in &self.0 {
            let line = Zeroizing::new(match entry {
                Entry::Whole(key) => format!("{generation} {}\n", &*encoded(key)),
                Entry::Retired { thread, action } => {
                    format!("{generation} {RETIRED} {} {}\n", &*encoded(thread), &*encoded(action))
                }
            });
            text.extend_from_slice(line.as_bytes());
        }
        text
    }

    /// The newest key that is whole.
    pub fn newest(&self) -> Option<Generation> {
        self.0
            .iter()
            .rev()
            .find(|(_, entry)| matches!(entry, Entry::Whole(_)))
            .map(|(generation, _)| *generation)
    }

    /// Adds a new key and gives its generation; `None` after the last.
    pub fn add(&mut self) -> Option<Generation> {
        let next = self.0.last_key_value().map_or(FIRST, |(last, _)| last + 1);
        if next > LAST {
            return None;
        }
        self.0.insert(next, Entry::Whole(Zeroizing::new(random())));
        Some(next)
    }

    /// Leaves of a key only what remains of one that is retired; tells whether it was whole.
    pub fn retire(&mut self, generation: Generation) -> bool {
        let Some(entry @ Entry::Whole(_)) = self.0.get(&generation) else { return false };
        let (thread, action) = entry.remains();
        self.0.insert(generation, Entry::Retired { thread, action });
        true
    }

    /// Adds what another file has and this one has not; tells the generation of which the two have different keys, and adds
    /// nothing then. A key that is whole here stays so.
    pub fn merge(&mut self, other: &Self) -> Result<(), Generation> {
        let differ = |generation: &Generation, entry: &Entry| {
            self.0.get(generation).is_some_and(|own| own.remains() != entry.remains())
        };
        if let Some((generation, _)) = other.0.iter().find(|(generation, entry)| differ(generation, entry)) {
            return Err(*generation);
        }
        for (generation, entry) in &other.0 {
            match self.0.get(generation) {
                Some(Entry::Whole(_)) => {}
                _ => drop(self.0.insert(*generation, entry.clone())),
            }
        }
        Ok(())
    }

    /// Changes the file, which nobody else changes meanwhile. Where `change` fails nothing is written.
    pub fn change<T, E: From<io::Error>>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let _alone = alone(path)?;
        wipe_old(path)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "this is not a master key");
        let mut file = Self::read(path)?.ok_or_else(damaged)?;
        let before = file.to_bytes();
        let done = change(&mut file)?;
        if file.to_bytes() != before {
            file.replace(path)?;
        }
        Ok(done)
    }

    /// Reads the file.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let mut bytes = Zeroizing::new(vec![0; LARGEST + 1]);
        let mut length = 0;
        while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
            match io::Read::read(&mut file, room)? {
                0 => break,
                read => length += read,
            }
        }
        Ok(bytes.get(..length).and_then(Self::parse))
    }

    /// Puts this in the place of what the file held. It has its name only when it is whole and durable; then the bytes of
    /// the old file are overwritten.
    fn replace(&self, path: &Path) -> io::Result<()> {
        wipe_old(path)?;
        let owner = match fs::metadata(path) {
            Ok(old) => Some((old.uid(), old.gid())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let new = path.with_extension("key.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let own = file.metadata()?;
        // Run by root, it must stay readable for the gateway's user.
        if let Some((user, group)) = owner.filter(|owner| *owner != (own.uid(), own.gid())) {
            std::os::unix::fs::fchown(&file, Some(user), Some(group))?;
        }
        file.write_all(&self.to_bytes())?;
        file.sync_all()?;
        if owner.is_some() {
            fs::hard_link(path, old_of(path))?;
        }
        fs::rename(&new, path)?;
        File::open(folder_of(path))?.sync_all()?;
        wipe_old(path)
    }

    /// Overwrites what the last change has left, which may have been cut off.
    pub fn clean_up(path: &Path) -> io::Result<()> {
        let _alone = alone(path)?;
        wipe_old(path)
    }

    /// Every generation, and whether its key is whole.
    pub fn list(&self) -> Vec<(Generation, bool)> {
        let is_whole = |entry: &Entry| matches!(entry, Entry::Whole(_));
        self.0.iter().map(|(generation, entry)| (*generation, is_whole(entry))).collect()
    }
}

impl Entry {
    /// What remains of it, or would: the same of the same key.
    fn remains(&self) -> (Bytes, Bytes) {
        match self {
            Self::Whole(key) => (expand(key, "zegel thread"), expand(key, "zegel action")),
            Self::Retired { thread, action } => (thread.clone(), action.clone()),
        }
    }
}

/// Overwrites and removes the file that was there before the last change.
fn wipe_old(path: &Path) -> io::Result<()> {
    let old = old_of(path);
    let file = match OpenOptions::new().write(true).open(&old) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let facts = file.metadata()?;
    // It has other names where it was not replaced, or where somebody keeps it.
    if facts.nlink() == 1 {
        let length = usize::try_from(facts.len()).unwrap_or(LARGEST).min(LARGEST);
        file.write_all_at(&vec![0; length], 0)?;
        file.sync_data()?;
    }
    fs::remove_file(&old)
}

/// While it is held nobody else changes the file.
fn alone(path: &Path) -> io::Result<File> {
    let folder = File::open(folder_of(path))?;
    folder.lock()?;
    Ok(folder)
}

/// Where a file stays until it is overwritten.
fn old_of(path: &Path) -> PathBuf {
    path.with_extension("key.old")
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn parse_line(line: &str) -> Option<(Generation, Entry)> {
    let mut words = line.split(' ');
    let generation = words.next()?;
    let number: Generation = generation.parse().ok().filter(|number| (FIRST..=LAST).contains(number))?;
    if number.to_string() != generation {
        return None;
    }
    let entry = match words.next()? {
        RETIRED => Entry::Retired { thread: decoded(words.next()?)?, action: decoded(words.next()?)? },
        key => Entry::Whole(decoded(key)?),
    };
    words.next().is_none().then_some((number, entry))
}

fn encoded(key: &Bytes) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(&key[..]))
}

fn decoded(text: &str) -> Option<Bytes> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

/// The keys that follow from a master key.
pub(super) struct Whole {
    pub link: hmac::Key,
    pub body: Bytes,
    pub session: Bytes,
    pub thread: hmac::Key,
    pub browser: Bytes,
    pub address: hmac::Key,
    pub action: hmac::Key,
    pub folder: hmac::Key,
}

impl Whole {
    pub fn derive(master: &[u8; 32]) -> Self {
        let signing = |purpose| hmac_key(&expand(master, purpose));
        Self {
            link: signing("zegel link"),
            body: expand(master, "zegel queue body"),
            session: expand(master, "zegel session"),
            thread: signing("zegel thread"),
            browser: expand(master, "zegel browser"),
            address: signing("zegel code"),
            action: signing("zegel action"),
            folder: signing("zegel folder"),
        }
    }
}

/// What remains of one that is retired.
pub(super) struct Remains {
    pub thread: hmac::Key,
    pub action: hmac::Key,
}

fn hmac_key(key: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

/// All keys at one moment.
pub(super) struct Known {
    pub current: Generation,
    pub newest: Arc<Whole>,
    pub whole: BTreeMap<Generation, Arc<Whole>>,
    pub retired: BTreeMap<Generation, Remains>,
}

impl Known {
    fn of(file: &KeyFile, current: Generation) -> Option<Self> {
        let (mut whole, mut retired) = (BTreeMap::new(), BTreeMap::new());
        for (generation, entry) in &file.0 {
            match entry {
                Entry::Whole(key) => drop(whole.insert(*generation, Arc::new(Whole::derive(key)))),
                Entry::Retired { thread, action } => {
                    let remains = Remains { thread: hmac_key(thread), action: hmac_key(action) };
                    retired.insert(*generation, remains);
                }
            }
        }
        Some(Self { current, newest: whole.get(&current)?.clone(), whole, retired })
    }

    /// Whether each key of `before` is the same here, or was retired. One that is only prepared made nothing yet.
    fn has_all_of(&self, before: &Self) -> bool {
        before.whole.range(..=before.current).all(|(generation, keys)| match self.whole.get(generation) {
            Some(here) => here.body == keys.body,
            None => self.retired.contains_key(generation),
        })
    }
}

/// The keys as every type of key sees them. They are replaced as a whole, while all of them are in use.
#[derive(Clone)]
pub struct Generations(Arc<Inner>);

struct Inner {
    known: ArcSwap<Known>,
    /// Where they come from, if that can be read again.
    file: Option<PathBuf>,
    /// What is wrong with them since somebody looked last.
    trouble: ArcSwapOption<KeyTrouble>,
}

/// What may be wrong with the master keys of a gateway that is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTrouble {
    /// The store works with a key that is not here: what the other nodes make cannot be opened.
    CurrentIsMissing(String),
    /// The file is not what this gateway works with, which would not start again.
    File(String),
}

impl Generations {
    /// Of a file; the newest is the current one until [`Generations::select`] says otherwise.
    pub(super) fn of(file: &KeyFile, path: Option<PathBuf>) -> Option<Self> {
        let known = Known::of(file, file.newest()?)?;
        Some(Self::new(known, path))
    }

    fn new(known: Known, file: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { known: ArcSwap::from_pointee(known), file, trouble: ArcSwapOption::empty() }))
    }

    /// One key, which is in no file.
    pub(super) fn single(master: &[u8; 32]) -> Self {
        let newest = Arc::new(Whole::derive(master));
        let whole = BTreeMap::from([(FIRST, newest.clone())]);
        Self::new(Known { current: FIRST, newest, whole, retired: BTreeMap::new() }, None)
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.0.known.load_full()
    }

    /// What is wrong with them.
    pub fn trouble(&self) -> Option<KeyTrouble> {
        self.0.trouble.load().as_deref().cloned()
    }

    /// Notes it, for `/readyz` and for what is asked of this gateway meanwhile.
    pub fn set_trouble(&self, trouble: Option<KeyTrouble>) {
        self.0.trouble.store(trouble.map(Arc::new));
    }

    /// Whether others may have made what no key here opens: it is not unknown then.
    pub fn lacks_current(&self) -> bool {
        matches!(self.0.trouble.load().as_deref(), Some(KeyTrouble::CurrentIsMissing(_)))
    }

    /// The current one.
    pub fn current(&self) -> Generation {
        self.known().current
    }

    /// Every generation, and whether its key is whole.
    pub fn list(&self) -> Vec<(Generation, bool)> {
        let known = self.known();
        let whole = known.whole.keys().map(|generation| (*generation, true));
        let all: BTreeMap<_, _> =
            known.retired.keys().map(|generation| (*generation, false)).chain(whole).collect();
        all.into_iter().collect()
    }

    /// Those that are whole.
    pub fn whole(&self) -> Vec<Generation> {
        self.known().whole.keys().copied().collect()
    }

    /// What is new is made with this one from now on; tells whether it is there.
    pub fn select(&self, current: Generation) -> bool {
        let known = self.known();
        if known.current == current {
            return true;
        }
        let Some(newest) = known.whole.get(&current).cloned() else { return false };
        let remains = |kept: &Remains| Remains { thread: kept.thread.clone(), action: kept.action.clone() };
        let retired = known.retired.iter().map(|(generation, kept)| (*generation, remains(kept))).collect();
        self.0.known.store(Arc::new(Known { current, newest, whole: known.whole.clone(), retired }));
        true
    }

    /// The file, where the keys are from one that can be read again.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// Reads the file again; the current one stays. Tells whether all keys that are in use are still in it, or were retired: else
    /// nothing changes.
    pub fn refresh(&self) -> io::Result<bool> {
        let Some(path) = self.file() else { return Ok(true) };
        let file = KeyFile::read(path)?;
        let before = self.known();
        match file.and_then(|file| Known::of(&file, before.current)).filter(|known| known.has_all_of(&before))
        {
            Some(known) => self.0.known.store(Arc::new(known)),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// A key of a generation that another process may have added a moment ago.
    pub(super) fn find(&self, generation: Generation) -> Option<Arc<Whole>> {
        if let Some(found) = self.known().whole.get(&generation) {
            return Some(found.clone());
        }
        match self.refresh() {
            Ok(_) => self.known().whole.get(&generation).cloned(),
            Err(error) => {
                tracing::error!(%error, "master.key could not be read again");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let mut file = KeyFile::new();
        assert_eq!(file.to_bytes().len(), 32, "as it always was");
        assert_eq!(file.add(), Some(2));
        assert_eq!(file.add(), Some(3));
        assert!(file.retire(1) && !file.retire(1) && !file.retire(9));
        let bytes = file.to_bytes();
        let read = KeyFile::parse(&bytes).unwrap();
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!((read.list(), read.newest()), (file.list(), Some(3)));
        assert_eq!(KeyFile::from_base64(&STANDARD.encode(&bytes[..])).unwrap().list(), file.list());
        assert_eq!(read.list(), [(1, false), (2, true), (3, true)]);
        while file.add().is_some() {}
        assert_eq!(file.list().len(), 64);
        assert!(KeyFile::parse(&file.to_bytes()).is_some());
    }

    /// Whatever is in the file: a clear no, never a key that nobody made.
    #[test]
    fn anything_else_is_refused() {
        let mut file = KeyFile::new();
        file.add();
        let text = String::from_utf8(file.to_bytes().to_vec()).unwrap();
        for end in 0..text.len() - 1 {
            if end != 32 && !text[..end].trim_end().ends_with('=') {
                assert!(KeyFile::parse(&text.as_bytes()[..end]).is_none(), "{end}");
            }
        }
        let line = text.lines().nth(1).unwrap();
        for wrong in [
            format!("{text}{line}\n"),
            text.replace("\n1 ", "\n65 "),
            text.replace("\n1 ", "\n0 "),
            text.replace("\n1 ", "\n01 "),
            text.replace("\n1 ", "\n-1 "),
            text.replace("keys\n", "key\n"),
            format!("{text}3 retired {}\n", &line[2..]),
            format!("{text}3 {} {}\n", &line[2..], &line[2..]),
            format!("{HEAD}\n"),
            "x".repeat(LARGEST + 1),
        ] {
            assert!(KeyFile::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_a_file_held_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let mut file = KeyFile::new();
        file.replace(&path).unwrap();
        let old = File::open(&path).unwrap();
        file.add();
        file.replace(&path).unwrap();
        let mut left = [7; 32];
        old.read_exact_at(&mut left, 0).unwrap();
        assert_eq!(left, [0; 32]);
        assert_eq!(KeyFile::read(&path).unwrap().unwrap().list(), file.list());
        let names =
            || fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(names(), ["master.key"]);

        // Cut off before the new file had its name, and before the old one was overwritten.
        fs::hard_link(&path, old_of(&path)).unwrap();
        wipe_old(&path).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap().unwrap().list(), file.list(), "it is the file itself");
        let old = File::open(&path).unwrap();
        fs::rename(&path, old_of(&path)).unwrap();
        file.replace(&path).unwrap();
        old.read_exact_at(&mut left, 0).unwrap();
        assert_eq!((left, names()), ([0; 32], vec!["master.key".into()]));
    }

    #[test]
    fn two_who_change_the_file_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        KeyFile::new().replace(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| KeyFile::change(&path, |file| Ok::<_, io::Error>(file.add())).unwrap());
            }
        });
        assert_eq!(KeyFile::read(&path).unwrap().unwrap().list().len(), 17);
    }

    /// A node that was away may still have what only an older key opens.
    #[test]
    fn a_file_takes_in_what_another_has_and_loses_nothing() {
        let mut own = KeyFile::new();
        let mut other = own.clone();
        other.add();
        other.add();
        other.retire(1);
        own.merge(&other).unwrap();
        assert_eq!(own.list(), [(1, true), (2, true), (3, true)]);
        other.merge(&own).unwrap();
        assert_eq!(other.to_bytes(), own.to_bytes(), "and what the other has retired is whole again");
        let before = own.to_bytes();
        assert_eq!(own.merge(&KeyFile::new()), Err(1), "another gateway's");
        assert_eq!(own.to_bytes(), before);
    }
}
