//! A real name server (NSD) with zones of its own, on a port of loopback.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use super::gateway::{free_port, wait_for};

/// A running NSD; stopped when dropped.
pub struct Nsd {
    folder: tempfile::TempDir,
    process: Child,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Nsd {
    /// With these zones: the name of each, and its records. SOA and NS are there already.
    pub fn start(zones: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("zegel-nsd").tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let root = folder.path().display().to_string();
        let mut settings = format!(
            "server:\n ip-address: 127.0.0.1@{}\n username: \"\"\n zonesdir: \"{root}\"\n database: \"\"\n \
             pidfile: \"{root}/nsd.pid\"\n xfrdfile: \"{root}/xfrd.state\"\n zonelistfile: \"{root}/zone.list\"\n \
             logfile: \"{root}/nsd.log\"\n server-count: 1\nremote-control:\n control-enable: no\n",
            address.port()
        );
        for (name, records) in zones {
            let head = format!(
                "$ORIGIN {name}.\n$TTL 60\n@ IN SOA ns.{name}. hostmaster.{name}. 1 3600 600 86400 60\n@ IN NS ns.{name}.\n"
            );
            fs::write(folder.path().join(name), head + records + "\n").unwrap();
            settings.push_str(&format!("zone:\n name: \"{name}\"\n zonefile: \"{name}\"\n"));
        }
        let file = folder.path().join("nsd.conf");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new("/usr/sbin/nsd");
        command.arg("-d").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("nsd (Debian: nsd)");
        let nsd = Self { folder, process, address };
        wait_for("nsd", || TcpStream::connect(nsd.address).ok());
        nsd
    }
}

impl Drop for Nsd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.path().join("nsd.log")).unwrap_or_default());
        }
        // SIGTERM, so that its children go too.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
