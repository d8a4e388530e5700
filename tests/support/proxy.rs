//! A proxy or balancer of others, as docs/operations.md configures it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::gateway::{all_bytes, wait_for};

/// A proxy that runs, and everything that it wrote.
pub struct Proxy {
    process: Child,
    folder: tempfile::TempDir,
}

impl Proxy {
    /// Runs this with its folder, to which standard error goes as well, until it listens.
    pub fn start(folder: tempfile::TempDir, port: u16, command: &mut Command) -> Self {
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let output = errors.try_clone().unwrap();
        let process = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let proxy = Self { process: process.expect("the proxy is installed"), folder };
        wait_for("the proxy", || TcpStream::connect(("127.0.0.1", port)).ok());
        proxy
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written, wherever.
    pub fn written(&self) -> String {
        let files = all_bytes(self.folder.path());
        files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It ends its workers; killed, it could not.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The block of docs/operations.md that follows this line.
pub fn documented(heading: &str) -> String {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let (_, rest) = docs.split_once(&format!("\n{heading}\n\n")).expect("it is documented");
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect()
}

/// Says the same with these texts for those, each of which must be there.
pub fn with(mut text: String, changes: &[(&str, String)]) -> String {
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in {text}");
        text = text.replace(from, to);
    }
    text
}
