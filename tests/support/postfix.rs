//! A real Postfix with a configuration, queue and port of its own, started and stopped by the test.
//! It must be started as root, because Postfix drops its rights by itself.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::gateway::{free_port, wait_for};

/// A running Postfix; stopped when dropped.
pub struct Postfix {
    folder: tempfile::TempDir,
    /// Where it takes mail.
    pub address: SocketAddr,
}

/// `nobody` on Debian: owns the mailbox.
const NOBODY: u32 = 65534;

impl Postfix {
    /// A mail server that sends everything on to `next_hop`, as a municipality's does.
    pub fn in_front_of(next_hop: SocketAddr) -> Self {
        Self::in_front_with(next_hop, "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n")
    }

    /// The same, with settings of your own.
    pub fn in_front_with(next_hop: SocketAddr, settings: &str) -> Self {
        Self::start(&format!("relayhost = [{}]:{}\n{settings}", next_hop.ip(), next_hop.port()))
    }

    /// A mail server that keeps everything in one mailbox.
    pub fn with_mailbox() -> Self {
        Self::start(&format!(
            "virtual_mailbox_domains = static:all\n\
             virtual_mailbox_maps = static:box/\n\
             virtual_uid_maps = static:{NOBODY}\n\
             virtual_gid_maps = static:{NOBODY}\n\
             smtputf8_enable = no\n"
        ))
    }

    fn start(extra: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("zegel-postfix").tempdir().unwrap();
        let root = folder.path();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["etc", "spool", "data", "mail"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        chown(root.join("data"), Some(user_id("postfix")), None).unwrap();
        chown(root.join("mail"), Some(NOBODY), Some(NOBODY)).unwrap();
        let port = free_port();
        fs::write(root.join("etc/main.cf"), main_cf(root) + extra).unwrap();
        fs::write(root.join("etc/master.cf"), master_cf(port)).unwrap();
        let postfix = Self { address: SocketAddr::from(([127, 0, 0, 1], port)), folder };
        let output = postfix.command("start").output().expect("postfix (Debian: postfix)");
        assert!(output.status.success(), "postfix: {}", String::from_utf8_lossy(&output.stderr));
        wait_for("postfix", || TcpStream::connect(postfix.address).ok());
        postfix
    }

    /// Every mail in the mailbox in no order (the names sort by inode within a second), as Postfix wrote
    /// it (line ends are LF).
    pub fn mails(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("mail/box/new")) else { return Vec::new() };
        entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    /// Its first process; all others descend from it.
    pub fn process(&self) -> u32 {
        let file = self.folder.path().join("spool/pid/master.pid");
        fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    /// Its log, for when a test fails.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("data/mail.log")).unwrap_or_default()
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("/usr/sbin/postfix");
        command.arg("-c").arg(self.folder.path().join("etc")).arg(verb);
        command
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        let _ = self.command("stop").output();
    }
}

fn main_cf(root: &Path) -> String {
    let root = root.display();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {root}/spool\n\
         data_directory = {root}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         myhostname = mail.voorbeeld.nl\n\
         mydestination =\n\
         mynetworks = 127.0.0.0/8\n\
         smtp_host_lookup = native\n\
         smtp_dns_support_level = disabled\n\
         smtpd_tls_security_level = none\n\
         smtp_tls_security_level = none\n\
         alias_maps =\n\
         virtual_mailbox_base = {root}/mail\n\
         maillog_file = {root}/data/mail.log\n\
         maillog_file_prefixes = {root}\n"
    )
}

fn master_cf(port: u16) -> String {
    format!(
        "127.0.0.1:{port} inet n - n - - smtpd\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         proxymap unix - - n - - proxymap\n\
         anvil unix - - n - 1 anvil\n\
         scache unix - - n - 1 scache\n\
         smtp unix - - n - - smtp\n\
         relay unix - - n - - smtp\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         virtual unix - n n - - virtual\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}

fn user_id(name: &str) -> u32 {
    let output = Command::new("id").args(["-u", name]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}
