//! An S3 service of our own (Debian's `radosgw` on a Ceph of one node): in memory, on loopback, one for a test binary. It ends
//! with the process that started it, however that ends.

#![allow(dead_code)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::place::{base, free_port};

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

    /// Makes a request that no gateway makes, and gives what is answered: `PUT`, `/bucket?versioning=`, a body.
    pub fn request(&self, method: &str, target: &str, body: &str) -> String {
        String::from_utf8_lossy(&self.send(method, target, body.as_bytes())).into_owned()
    }

    /// What is in an object.
    pub fn bytes(&self, target: &str) -> Vec<u8> {
        self.send("GET", target, b"")
    }

    /// What is in an object, or in one version of it; `None` where it is not there any more.
    pub fn find(&self, target: &str) -> Option<Vec<u8>> {
        self.ask("GET", target, b"")
    }

    /// Puts an object there.
    pub fn store(&self, target: &str, bytes: &[u8]) {
        self.send("PUT", target, bytes);
    }

    fn send(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let answer = self.ask(method, target, body);
        answer.unwrap_or_else(|| panic!("{method} {target} was refused"))
    }

    fn ask(&self, method: &str, target: &str, body: &[u8]) -> Option<Vec<u8>> {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &format!("{KEY_ID}:{SECRET}")]);
        curl.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-X", method, "--data-binary", "@-"]);
        let md5 = openssl::hash::hash(openssl::hash::MessageDigest::md5(), body).expect("MD5");
        curl.args(["-H", &format!("Content-MD5: {}", openssl::base64::encode_block(&md5))]);
        curl.arg(format!("{}{target}", self.endpoint())).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut curl = curl.spawn().expect("curl");
        curl.stdin.take().expect("its input").write_all(body).expect("its input");
        let output = curl.wait_with_output().expect("curl");
        output.status.success().then_some(output.stdout)
    }

    /// A new bucket that keeps versions.
    pub fn bucket_with_versions(&self, name: &str) {
        self.request("PUT", &format!("/{name}"), "");
        let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.request("PUT", &format!("/{name}?versioning="), enabled);
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
