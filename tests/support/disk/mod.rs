//! A disk that fails when it is told to: every file call of the real binary passes through disk.c, which is built with
//! the C compiler that zegel itself needs. A test names the call, counts to the one that it means, and says what goes wrong.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::gateway::{Gateway, Site, zegel};

/// Layout of the page that is shared with disk.c: seven numbers, then [`PART`] bytes.
const ARMED: u64 = 0;
const STRUCK: u64 = 24;
const WORDS: usize = 7;
const PART: usize = 64;

/// A call that can fail; the bit that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open = 1,
    Read = 2,
    Write = 4,
    Truncate = 8,
    Sync = 16,
    Rename = 32,
    Remove = 64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// This error, and nothing is done.
    Fail(i32),
    /// Half of it is read or written, and so is told.
    Half,
    /// Half of it is written, then there is this error: a disk that became full.
    HalfThenFail(i32),
    /// kill -9 instead of the call.
    DieBefore,
    /// kill -9 directly after the call.
    DieAfter,
    /// kill -9 when half of it is written.
    DieHalfway,
}

pub const EINTR: i32 = 4;
pub const EIO: i32 = 5;
pub const EMFILE: i32 = 24;
pub const ENOSPC: i32 = 28;

impl Act {
    /// As disk.c numbers them, and the error.
    fn numbers(self) -> (u32, i32) {
        match self {
            Self::Fail(error) => (0, error),
            Self::Half => (1, 0),
            Self::HalfThenFail(error) => (2, error),
            Self::DieBefore => (3, 0),
            Self::DieAfter => (4, 0),
            Self::DieHalfway => (5, 0),
        }
    }
}

/// The named points at which it is killed.
pub const DEATHS: &[(Call, Act)] = &[
    (Call::Open, Act::DieAfter),
    (Call::Write, Act::DieBefore),
    (Call::Write, Act::DieHalfway),
    (Call::Sync, Act::DieBefore),
    (Call::Sync, Act::DieAfter),
    (Call::Rename, Act::DieBefore),
    (Call::Rename, Act::DieAfter),
];

/// What goes wrong when.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    pub call: Call,
    /// Only on paths that hold this.
    pub part: &'a str,
    /// The first such call is 1.
    pub number: u32,
    pub act: Act,
    /// Every call after it too, until [`Disk::mend`].
    pub lasting: bool,
}

/// The disk under the data folder of a site.
pub struct Disk {
    folder: tempfile::TempDir,
    data: PathBuf,
    plan: File,
}

impl Disk {
    /// The site's gateways must be started with [`Disk::start`].
    pub fn under(site: &Site) -> Self {
        fs::create_dir_all(site.data()).unwrap();
        let data = site.data().canonicalize().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan");
        let plan = OpenOptions::new().read(true).write(true).create_new(true).open(plan).unwrap();
        plan.set_len(4096).unwrap();
        Self { folder, data, plan }
    }

    pub fn start(&self, site: &Site) -> Gateway {
        self.try_start(site).unwrap_or_else(|log| panic!("the gateway did not get ready: {log:#?}"))
    }

    /// The log of a gateway that does not get ready.
    pub fn try_start(&self, site: &Site) -> Result<Gateway, Vec<String>> {
        site.try_start_as(self.command())
    }

    /// The binary on this disk.
    pub fn command(&self) -> Command {
        let mut command = zegel();
        command
            .env("LD_PRELOAD", library())
            .env("FAULTY_DISK_FOLDER", &self.data)
            .env("FAULTY_DISK_PLAN", self.folder.path().join("plan"))
            .env("FAULTY_DISK_TRACE", self.trace_file());
        command
    }

    /// From now on.
    pub fn arm(&self, fault: &Fault<'_>) {
        let (act, error) = fault.act.numbers();
        let words = [0, fault.call as u32, fault.number, act, error as u32, u32::from(fault.lasting), 0];
        let mut page: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert!(words.len() == WORDS && fault.part.len() < PART);
        page.extend(fault.part.bytes());
        page.resize(4 * WORDS + PART, 0);
        self.plan.write_all_at(&page, 0).unwrap();
        self.plan.write_all_at(&1_u32.to_ne_bytes(), ARMED).unwrap();
    }

    /// Nothing goes wrong any more. Tells whether something has.
    pub fn mend(&self) -> bool {
        self.plan.write_all_at(&0_u32.to_ne_bytes(), ARMED).unwrap();
        self.has_struck()
    }

    /// Whether what was armed has happened.
    pub fn has_struck(&self) -> bool {
        let mut word = [0; 4];
        self.plan.read_exact_at(&mut word, STRUCK).unwrap();
        u32::from_ne_bytes(word) > 0
    }

    /// Every call so far: what, and where, relative to the data folder. `create` is a new name, `PROMISED` a 250.
    pub fn trace(&self) -> Vec<(String, String)> {
        let data = format!("{}/", self.data.display());
        let entry = |line: &str| {
            let (what, path) = line.split_once(' ').unwrap_or((line, ""));
            (what.to_owned(), path.strip_prefix(&data).unwrap_or(path).to_owned())
        };
        fs::read_to_string(self.trace_file()).unwrap_or_default().lines().map(entry).collect()
    }

    /// Forgets what it has traced.
    pub fn forget(&self) {
        File::create(self.trace_file()).unwrap();
    }

    fn trace_file(&self) -> PathBuf {
        self.folder.path().join("trace")
    }
}

/// The library, built once for each test binary.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/disk/disk.c");
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faulty-disk-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(compiler.status().expect("a C compiler").success());
        library
    })
}
