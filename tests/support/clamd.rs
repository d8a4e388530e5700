//! A real clamd with a configuration, ports and signatures of its own: it knows one virus, and the network never.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::gateway::{free_port, wait_for};

/// Bytes of the largest file that it looks at; it takes twice as much.
pub const LARGEST: usize = 1 << 20;

/// A clamd that can be stopped and started; stopped when dropped.
pub struct Clamd {
    folder: tempfile::TempDir,
    process: Option<Child>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The test file of EICAR, in pieces: nobody shall find a virus in these sources.
pub fn eicar() -> Vec<u8> {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR", "-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

impl Clamd {
    /// Starts one and waits until it listens.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("zegel-clamd").tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut clamd = Self { folder, process: None, address };
        let signature: String = eicar().iter().map(|octet| format!("{octet:02x}")).collect();
        for name in ["signatures", "files"] {
            fs::create_dir(clamd.path(name)).unwrap();
        }
        fs::write(clamd.path("signatures/test.ndb"), format!("Zegel.Eicar:0:*:{signature}\n")).unwrap();
        let settings = format!(
            "Foreground yes\nLocalSocket {}\nTCPSocket {}\nTCPAddr 127.0.0.1\nDatabaseDirectory {}\n\
             TemporaryDirectory {}\nStreamMaxLength {}\nMaxFileSize {LARGEST}\nAlertExceedsMax yes\n",
            clamd.socket().display(),
            address.port(),
            clamd.path("signatures").display(),
            clamd.path("files").display(),
            2 * LARGEST,
        );
        fs::write(clamd.path("clamd.conf"), settings).unwrap();
        clamd.again();
        clamd
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.path("clamd.ctl")
    }

    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it, where it was before.
    pub fn again(&mut self) {
        let mut command = Command::new("/usr/sbin/clamd");
        command.arg("--config-file").arg(self.path("clamd.conf"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("clamd (Debian: clamav-daemon)"));
        wait_for("clamd", || TcpStream::connect(self.address).ok());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        self.stop();
    }
}
