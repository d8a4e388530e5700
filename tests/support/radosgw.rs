//! An S3 service of our own (Debian's `radosgw` on a Ceph of one node): in memory, on loopback, one for a test binary. It ends
//! with the process that started it, however that ends.

#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Its bucket.
pub const BUCKET: &str = "zegel";
/// The id of the key that may do everything.
pub const KEY_ID: &str = "zegel";
/// Its secret.
pub const SECRET: &str = "geheim";

const KEEPER: &str = include_str!("radosgw.sh");

/// A running service.
pub struct Radosgw {
    keeper: Child,
    folder: PathBuf,
    /// Where S3 listens on loopback.
    pub port: u16,
}

impl Radosgw {
    /// A new one, empty but for its bucket.
    pub fn start() -> Self {
        let (folder, mon, port) = (folder(), free_port(), free_port());
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "radosgw.sh"])
            .arg(&folder)
            .args([mon.to_string(), port.to_string()])
            .arg(BUCKET);
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
        let mut said = String::new();
        let output = keeper.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut said).expect("its output");
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert_eq!(said, "ready\n", "radosgw does not start: {}", log());
        Self { keeper, folder, port }
    }

    /// Where it is, for `store.endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Radosgw {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// The one service of this test binary.
pub fn shared() -> &'static Radosgw {
    static SERVICE: OnceLock<Radosgw> = OnceLock::new();
    SERVICE.get_or_init(Radosgw::start)
}

/// In memory where there is enough room, which a container often has not.
fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
    if free > 4 << 30 { memory.to_owned() } else { std::env::temp_dir() }
}

/// A new folder, in memory if there is a place for that.
fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = base().join(format!(
        "zegel-radosgw-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A port that nobody listens on, and that nobody is given for a connection of theirs.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(8) % 4000;
    loop {
        let port = 20_000 + ((first + NEXT.fetch_add(1, Ordering::Relaxed)) % 4000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
