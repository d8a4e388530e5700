//! Randomness and the keys that follow from `master.key`.
//!
//! Every key is a type of its own and can do only what it is for. Nothing here prints or logs a secret:
//! `Debug` is redacted, memory is wiped on drop. The file `master.key` is the one secret a backup must
//! hold: without it no link can be checked, no queued mail read. What should be unreadable before the folder ends is
//! under keys of short life as well ([`keyring`]).

pub mod keyring;
pub mod masters;
pub(crate) mod sheet;
mod sheet_files;
#[cfg(feature = "cluster")]
pub(crate) mod wrap;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac, rand};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::keyring::{KeyRef, Keyring};
use self::masters::{Generation, Generations, KeyFile, Remains, Whole};

/// `N` bytes from the operating system's generator.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can go on then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// The same for bytes that are there; panics alike.
#[allow(clippy::panic, reason = "without randomness every promise is void; see the doc comment")]
fn fill(bytes: &mut [u8]) {
    if rand::fill(bytes).is_err() {
        panic!("the operating system gives no random numbers");
    }
}

/// Compares two texts in a time that depends on their lengths only.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// A text that must not be seen: password, link secret, code.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes over `text`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for the one place that must show or hash it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The file with the master key, in the data folder.
pub const MASTER_KEY: &str = "master.key";
/// The environment variable in which a node may be given the master key, in base64. It is no key of the configuration.
pub const MASTER_KEY_VARIABLE: &str = "ZEGEL_MASTER_KEY";

/// Why `master.key` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// Reading or writing it failed.
    #[error("{path}: {source}")]
    Io {
        /// The file
        path: PathBuf,
        /// What the operating system said
        source: io::Error,
    },
    /// It is there, but it is neither 32 bytes nor what `zegel key` writes.
    #[error("{0}: not a master key (it must be 32 bytes, or a file that `zegel key` has written)")]
    Damaged(PathBuf),
    /// Others may read it.
    #[error("{0}: others may read the master key; run: chmod 600 {0}")]
    Exposed(PathBuf),
    /// The store has data, but the key that opens it is gone.
    #[error("{0}: the master key is missing but the store is not empty; restore it from the backup")]
    Missing(PathBuf),
}

/// The keys of one installation, of every generation that is there ([`masters`]).
#[derive(Clone)]
pub struct Keys {
    /// For link secrets.
    pub link: LinkKey,
    /// For the bodies of queued mail.
    pub body: BodyKey,
    /// For those of ordinary mail that ride in their rows: with another keyring where a node has a journal of its own.
    pub ordinary: BodyKey,
    /// For what a browser session keeps in the store.
    pub session: SessionKey,
    /// For the hashes of Message-IDs of sealed threads.
    pub thread: ThreadKey,
    /// For answers: what browsers are remembered by, and hashes of codes
    pub reply: ReplyKey,
    /// For the links on which a sender acts.
    pub action: ActionKey,
    /// For the proof that this key belongs to a database.
    pub folder: FolderKey,
    /// Which generations there are, and which is the current one.
    pub generations: Generations,
}

impl Keys {
    /// Reads `data_dir/master.key`, or makes it when `fresh` says that the store is empty.
    pub fn open(data_dir: &Path, fresh: bool) -> Result<Self, MasterKeyError> {
        let path = data_dir.join(MASTER_KEY);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                return Err(MasterKeyError::Exposed(path));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && fresh => {
                KeyFile::create(&path).map_err(|source| MasterKeyError::Io { path: path.clone(), source })?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(MasterKeyError::Missing(path));
            }
            Err(source) => return Err(MasterKeyError::Io { path, source }),
        }
        Self::read(&path)
    }

    /// Those in a file that somebody else keeps from others: a credential, which systemd(1) opens to one user by
    /// means that its mode does not show.
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        let file =
            KeyFile::read(path).map_err(|source| MasterKeyError::Io { path: path.to_owned(), source })?;
        let generations = file.and_then(|file| Generations::of(&file, Some(path.to_owned())));
        generations.map(Self::of).ok_or_else(|| MasterKeyError::Damaged(path.to_owned()))
    }

    /// Those of a key, or of a whole file, in base64; `None` where it is neither.
    pub fn from_base64(text: &str) -> Option<Self> {
        Generations::of(&KeyFile::from_base64(text)?, None).map(Self::of)
    }

    /// The same with the keyring of the data folder: without it no body that is sealed outlives the process.
    pub fn with_keyring(self, ring: Keyring) -> Self {
        let body = BodyKey { ring, ..self.body };
        Self { ordinary: body.clone(), body, ..self }
    }

    /// The same with another keyring for ordinary mail.
    pub fn with_ordinary_keyring(self, ring: Keyring) -> Self {
        Self { ordinary: BodyKey { ring, ..self.ordinary }, ..self }
    }

    /// All keys of a master key (HKDF-SHA-256, RFC 5869; the purpose is the info), and a keyring in memory.
    pub fn derive(master: &[u8; 32]) -> Self {
        Self::of(Generations::single(master))
    }

    fn of(generations: Generations) -> Self {
        let signer = |purpose| Signer::Current(generations.clone(), purpose);
        let body = BodyKey { generations: generations.clone(), ring: Keyring::in_memory() };
        Self {
            link: LinkKey(signer(Purpose::Link)),
            ordinary: body.clone(),
            body,
            session: SessionKey(Moment::Current(generations.clone())),
            thread: ThreadKey(signer(Purpose::Thread)),
            reply: ReplyKey(Moment::Current(generations.clone())),
            action: ActionKey(signer(Purpose::Action)),
            folder: FolderKey(signer(Purpose::Folder)),
            generations,
        }
    }
}

/// What a signing key is for.
#[derive(Clone, Copy)]
enum Purpose {
    Link,
    Thread,
    Action,
    Folder,
}

impl Purpose {
    fn of(self, keys: &Whole) -> &hmac::Key {
        match self {
            Self::Link => &keys.link,
            Self::Thread => &keys.thread,
            Self::Action => &keys.action,
            Self::Folder => &keys.folder,
        }
    }

    fn of_remains(self, keys: &Remains) -> Option<&hmac::Key> {
        match self {
            Self::Thread => Some(&keys.thread),
            Self::Action => Some(&keys.action),
            Self::Link | Self::Folder => None,
        }
    }
}

/// A signing key: whichever is current, or one.
#[derive(Clone)]
enum Signer {
    Current(Generations, Purpose),
    One(Generation, Box<hmac::Key>),
}

impl Signer {
    fn sign(&self, message: &[u8]) -> [u8; 32] {
        match self {
            Self::Current(all, purpose) => sign(purpose.of(&all.known().newest), message),
            Self::One(_, key) => sign(key, message),
        }
    }

    fn generation(&self) -> Generation {
        match self {
            Self::Current(all, _) => all.current(),
            Self::One(generation, _) => *generation,
        }
    }

    /// That of a generation, if it is there.
    fn of(&self, generation: Generation) -> Option<Self> {
        match self {
            Self::Current(all, purpose) => {
                all.find(generation).map(|whole| Self::One(generation, purpose.of(&whole).clone().into()))
            }
            Self::One(own, _) => (*own == generation).then(|| self.clone()),
        }
    }

    /// The current one, which it stays.
    fn pinned(&self) -> Self {
        match self {
            Self::Current(all, purpose) => {
                let known = all.known();
                Self::One(known.current, purpose.of(&known.newest).clone().into())
            }
            Self::One(..) => self.clone(),
        }
    }

    /// Each that is there, the current one first.
    fn each(&self) -> Vec<Self> {
        let Self::Current(all, purpose) = self else { return vec![self.clone()] };
        let known = all.known();
        let current = (known.current, purpose.of(&known.newest));
        let others = known.whole.iter().rev().filter(|(generation, _)| **generation != known.current);
        let others = others.map(|(generation, whole)| (*generation, purpose.of(whole)));
        let retired = known.retired.iter().rev();
        let retired = retired.filter_map(|(generation, keys)| Some((*generation, purpose.of_remains(keys)?)));
        let each = std::iter::once(current).chain(others).chain(retired);
        each.map(|(generation, key)| Self::One(generation, key.clone().into())).collect()
    }
}

/// Makes the secret part of links (docs/architecture.md, "Keys"): nothing of it is stored. A transfer keeps which generation
/// its links are of.
#[derive(Clone)]
pub struct LinkKey(Signer);

impl LinkKey {
    /// HMAC-SHA-256 over `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.0.sign(message)
    }

    /// The generation that it signs with.
    pub fn generation(&self) -> Generation {
        self.0.generation()
    }

    /// The current key, also when another becomes that.
    pub fn pinned(&self) -> Self {
        Self(self.0.pinned())
    }

    /// The key of a generation, if it is there.
    pub fn of(&self, generation: Generation) -> Option<Self> {
        self.0.of(generation).map(Self)
    }

    /// Every key that a link may have been made with, the current one first.
    pub fn each(&self) -> Vec<Self> {
        self.0.each().into_iter().map(Self).collect()
    }
}

/// Names a message of a sealed thread without telling its Message-ID.
#[derive(Clone)]
pub struct ThreadKey(Signer);

impl ThreadKey {
    /// The hash under which a Message-ID is kept.
    pub fn hash(&self, message_id: &str) -> [u8; 32] {
        self.0.sign(message_id.trim().as_bytes())
    }

    /// Every key with which a message may have been named, the current one first.
    pub fn each(&self) -> Vec<Self> {
        self.0.each().into_iter().map(Self).collect()
    }

    /// The same for one of several organisations, which go by one key. No Message-ID has a NUL in it.
    pub fn hash_of(&self, organisation: &str, message_id: &str) -> [u8; 32] {
        self.0.sign(format!("{organisation}\0{}", message_id.trim()).as_bytes())
    }
}

/// Signs what a sender may do from a link in a mail (`transfer/action`): nothing of it is stored.
#[derive(Clone)]
pub struct ActionKey(Signer);

impl ActionKey {
    /// HMAC-SHA-256 over `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.0.sign(message)
    }

    /// Every key that a link may have been made with, the current one first.
    pub fn each(&self) -> Vec<Self> {
        self.0.each().into_iter().map(Self).collect()
    }
}

/// Proves that a database was made with this master key.
#[derive(Clone)]
pub struct FolderKey(Signer);

impl FolderKey {
    /// What the database of the data folder with this id keeps of the key: it tells nothing of it.
    pub fn check_value(&self, id: &str) -> [u8; 32] {
        self.0.sign(id.as_bytes())
    }

    /// Its generation.
    pub fn generation(&self) -> Generation {
        self.0.generation()
    }

    /// The key of a generation, if it is there.
    pub fn of(&self, generation: Generation) -> Option<Self> {
        self.0.of(generation).map(Self)
    }

    /// What all keys are made with from now on; tells whether it is there.
    pub fn select(&self, generation: Generation) -> bool {
        match &self.0 {
            Signer::Current(all, _) => all.select(generation),
            Signer::One(own, _) => *own == generation,
        }
    }

    /// Every key that is there, the current one first.
    pub fn each(&self) -> Vec<Self> {
        self.0.each().into_iter().map(Self).collect()
    }

    /// The same of a text that belongs under a name: equal where both are.
    pub fn digest(&self, name: &str, text: &str) -> String {
        let digest = self.0.sign(format!("digest\0{name}\0{text}").as_bytes());
        let (start, _) = digest.split_at(8);
        start.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

/// From which each queued body gets a key of its own, with a key of short life.
#[derive(Clone)]
pub struct BodyKey {
    generations: Generations,
    ring: Keyring,
}

impl BodyKey {
    /// The name of a key of short life for one new body, and what makes its key.
    pub fn for_new_body(&self) -> io::Result<(KeyRef, NewBodyKey)> {
        let (name, short) = self.ring.take()?;
        let known = self.generations.known();
        Ok((name, NewBodyKey { generation: known.current, keys: known.newest.clone(), short }))
    }

    /// The AES-256 key of a body that is there; one without a name is from before keys had a short life.
    pub fn for_body(
        &self,
        generation: Generation,
        name: Option<&KeyRef>,
        salt: &[u8; 16],
    ) -> io::Result<Zeroizing<[u8; 32]>> {
        let keys = self.generations.find(generation).ok_or_else(|| {
            io::Error::other(format!(
                "master key {generation}, which this was sealed with, is not in master.key"
            ))
        })?;
        match name {
            Some(name) => Ok(of_both(&keys, &*name.find(&self.ring)?, salt)),
            None => Ok(derive(&keys.body, salt, "body")),
        }
    }
}

/// For one body that is being sealed.
pub struct NewBodyKey {
    generation: Generation,
    keys: Arc<Whole>,
    short: Zeroizing<[u8; 32]>,
}

impl NewBodyKey {
    /// Of the master key in it: for the header.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The AES-256 key of the body that carries `salt`.
    pub fn with(&self, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        of_both(&self.keys, &self.short, salt)
    }
}

/// Neither the folder of keys nor `master.key` is enough.
fn of_both(keys: &Whole, short: &[u8; 32], salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    let salt = Zeroizing::new([&keys.body[..], salt].concat());
    derive(short, &salt, "zegel body of short life")
}

/// Keys that are not for signing: whichever are current, or those of one generation.
#[derive(Clone)]
enum Moment {
    Current(Generations),
    One(Arc<Whole>),
}

impl Moment {
    fn keys(&self) -> Arc<Whole> {
        match self {
            Self::Current(all) => all.known().newest.clone(),
            Self::One(keys) => keys.clone(),
        }
    }

    /// Each that is there, the current ones first.
    fn each(&self) -> Vec<Self> {
        let Self::Current(all) = self else { return vec![self.clone()] };
        let known = all.known();
        let others = known.whole.iter().rev().filter(|(generation, _)| **generation != known.current);
        let each = std::iter::once(&known.newest).chain(others.map(|(_, keys)| keys));
        each.map(|keys| Self::One(keys.clone())).collect()
    }
}

/// Wraps what a session may open; useless without the cookie.
#[derive(Clone)]
pub struct SessionKey(Moment);

impl SessionKey {
    /// The AES-256 key of the session whose cookie holds `cookie`.
    pub fn for_cookie(&self, cookie: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        derive(&self.0.keys().session, cookie, "session")
    }

    /// Every key that a session may have been made with, the current one first.
    pub fn each(&self) -> Vec<Self> {
        self.0.each().into_iter().map(Self).collect()
    }
}

/// Keeps what is known of a browser, and the hashes of verification codes.
#[derive(Clone)]
pub struct ReplyKey(Moment);

impl ReplyKey {
    /// The key for what is remembered of one browser: neither database nor browser has it alone.
    pub fn for_browser(&self, browser: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        derive(&self.0.keys().browser, browser, "browser")
    }

    /// The hash of a code that this browser asked for, with all that it is bound to. The browser's secret is nowhere but in
    /// its cookie: whoever has `master.key` and what is left of a row could try all codes without it.
    pub fn hash_code(&self, browser: &[u8; 32], text: &[u8]) -> [u8; 32] {
        let key = derive(&self.0.keys().browser, browser, "code");
        sign(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]), text)
    }

    /// The hash by which mails to an address are counted.
    pub fn hash_address(&self, text: &[u8]) -> [u8; 32] {
        sign(&self.0.keys().address, text)
    }

    /// Every key that something may have been sealed with, the current one first.
    pub fn each(&self) -> Vec<Self> {
        self.0.each().into_iter().map(Self).collect()
    }
}

fn sign(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(key, message).as_ref());
    out
}

fn expand(master: &[u8; 32], purpose: &str) -> Zeroizing<[u8; 32]> {
    derive(master, b"", purpose)
}

/// A key that follows from `key` and `salt` and is good for one purpose (HKDF-SHA-256, RFC 5869).
pub fn derive(key: &[u8; 32], salt: &[u8], purpose: &str) -> Zeroizing<[u8; 32]> {
    expand_bytes(key, salt, purpose.as_bytes())
}

/// The same with `N` bytes, for a purpose that is no text.
#[allow(clippy::expect_used, reason = "HKDF-SHA-256 gives up to 8160 bytes; nobody asks for more than 64")]
pub fn expand_bytes<const N: usize>(key: &[u8; 32], salt: &[u8], purpose: &[u8]) -> Zeroizing<[u8; N]> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = Zeroizing::new([0; N]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(&[purpose], Length(N))
        .and_then(|okm| okm.fill(&mut out[..]))
        .expect("so few bytes are within the limit of HKDF");
    out
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::masters::FIRST;
    use super::*;

    #[test]
    fn makes_the_key_once_and_keeps_it_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path(), true).unwrap().link.sign(b"x");
        let path = dir.path().join("master.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Keys::open(dir.path(), false).unwrap().link.sign(b"x"), first);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keys::open(dir.path(), false), Err(MasterKeyError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Keys::open(dir.path(), false), Err(MasterKeyError::Damaged(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(Keys::open(dir.path(), false), Err(MasterKeyError::Missing(_))));
    }

    #[test]
    fn every_purpose_has_its_own_key() {
        let keys = Keys::derive(&[7; 32]);
        assert_ne!(keys.link.sign(b"x"), keys.thread.hash("x"));
        assert_ne!(keys.link.sign(b"x"), keys.action.sign(b"x"));
        let body = |salt| keys.body.for_body(FIRST, None, &[salt; 16]).unwrap();
        assert_ne!(*body(1), *body(2));
        assert_eq!(format!("{:?}", Secret::new("geheim".into())), "[secret]");
    }

    /// C26. An allocator writes on the first bytes of what it gets back, so the last ones are looked at.
    #[test]
    fn what_is_dropped_is_wiped() {
        let text = "geheim".repeat(700);
        let memory = fs::File::open("/proc/self/mem").unwrap();
        let mut octets = vec![0; text.len()];
        let mut is_left = |address: usize| {
            memory.read_exact_at(&mut octets, address as u64).unwrap();
            memchr::memmem::find(&octets, "geheim".repeat(5).as_bytes()).is_some()
        };
        let plain = text.clone();
        let address = plain.as_ptr().addr();
        drop(plain);
        assert!(is_left(address), "what nobody wipes is there to be seen");
        let secret = Secret::new(text);
        let address = secret.reveal().as_ptr().addr();
        assert!(is_left(address));
        drop(secret);
        assert!(!is_left(address));

        let keys = Keys::derive(&[7; 32]);
        let half = |key: &Zeroizing<[u8; 32]>| (key.as_ptr().addr() + 16, key[16..].to_vec());
        let whole = Box::new(Whole::derive(&[7; 32]));
        let derived = Box::new(keys.body.for_body(FIRST, None, &[1; 16]).unwrap());
        let places = [half(&whole.body), half(&whole.session), half(&whole.browser), half(&derived)];
        let mut half = [0; 16];
        let mut is_there = |(address, key): &(usize, Vec<u8>)| {
            memory.read_exact_at(&mut half, *address as u64).unwrap();
            half == **key
        };
        assert!(places.iter().all(&mut is_there));
        drop((whole, derived));
        assert!(!places.iter().any(&mut is_there));
    }
}
