//! A PostgreSQL of our own (Debian's `postgresql`): one server for a test binary, in memory where there is room, on a Unix
//! socket and a loopback port, and a database for each test. It ends with the process that started it, however that ends.
//! `POSTGRESQL_BIN` names the folder of another server's programs: `./run postgresql` tests every version that we support.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::place::{base, free_port};

/// The server's superuser, whom it trusts on loopback.
const SUPERUSER: &str = "postgres";

/// Ends the server and removes its folder when its input ends, which is when whoever started it is gone.
const KEEPER: &str = r#"
trap : INT TERM HUP
"$@" >&2 &
server=$!
cat >/dev/null
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$FOLDER"
"#;

/// A running server.
pub struct Server {
    keeper: Child,
    folder: PathBuf,
    settings: Vec<String>,
    /// Where it listens on loopback.
    pub port: u16,
}

impl Server {
    /// A new one. `settings` are lines of `postgresql.conf`.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_in(&base(), settings)
    }

    /// A new one, in a folder of its own within this one.
    pub fn start_in(base: &Path, settings: &[&str]) -> Self {
        let (folder, port) = (folder(base), free_port());
        let data = folder.join("data");
        run(as_owner(&program("initdb"))
            .args(["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"])
            .args(["--locale", "C.UTF-8", "--no-sync", "-D"])
            .arg(&data));
        Self::serve(folder, port, settings.iter().map(|&setting| setting.to_owned()).collect())
    }

    fn serve(folder: PathBuf, port: u16, settings: Vec<String>) -> Self {
        let keeper = Self::spawn(&folder, port, &settings);
        let server = Self { keeper, folder, settings, port };
        server.wait();
        server
    }

    fn spawn(folder: &Path, port: u16, settings: &[String]) -> Child {
        let mut server = Command::new("sh");
        server.args(["-c", KEEPER, "keeper"]).env("FOLDER", folder);
        let as_owner = as_owner(&program("postgres"));
        server.arg(as_owner.get_program()).args(as_owner.get_args());
        server.arg("-D").arg(folder.join("data")).args(["-c", "listen_addresses=127.0.0.1"]);
        server.args([
            "-c",
            &format!("port={port}"),
            "-c",
            &format!("unix_socket_directories={}", folder.display()),
        ]);
        for setting in settings {
            server.args(["-c", setting]);
        }
        let log = std::fs::File::create(folder.join("log")).expect("its log");
        server.stdin(Stdio::piped()).stderr(log).spawn().expect("sh")
    }

    /// As a loss of power: every process of it ends at once. Its files stay.
    pub fn kill(&mut self) {
        let pid = self.pid().to_string();
        // The keeper first, or it would remove the folder.
        run(Command::new("kill").args(["-KILL", &self.keeper.id().to_string()]));
        let _ = self.keeper.wait();
        run(Command::new("kill").args(["-KILL", &pid]));
        let begun = std::time::Instant::now();
        while Path::new(&format!("/proc/{pid}")).exists() {
            assert!(begun.elapsed().as_secs() < 60, "PostgreSQL does not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Starts it again where it was; gives the moment at which it took connections.
    pub fn start_again(&mut self) -> std::time::Instant {
        let begun = std::time::Instant::now();
        loop {
            self.keeper = Self::spawn(&self.folder, self.port, &self.settings);
            let mut ended = || self.keeper.try_wait().ok().flatten().is_some();
            while !is_ready(self.port) && !ended() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            if is_ready(self.port) {
                return std::time::Instant::now();
            }
            // Children of the one before still hold its memory.
            assert!(begun.elapsed().as_secs() < 60, "PostgreSQL does not start again: {}", self.log());
        }
    }

    /// A second server that has everything of this one before a commit returns.
    pub fn synchronous_standby(&mut self, name: &str) -> Self {
        let folder = folder(self.folder.parent().expect("a folder above"));
        let data = folder.join("data");
        let port = self.port.to_string();
        run(as_owner(&program("pg_basebackup"))
            .args(["-h", "127.0.0.1", "-p", &port, "-U", SUPERUSER, "-X", "stream", "-R", "-c", "fast", "-D"])
            .arg(&data));
        let settings = self.settings.iter().cloned().chain([format!(
            "primary_conninfo=host=127.0.0.1 port={port} user={SUPERUSER} application_name={name}"
        )]);
        let standby = Self::serve(folder, free_port(), settings.collect());
        self.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
        self.sql("postgres", "SELECT pg_reload_conf()");
        let begun = std::time::Instant::now();
        while self.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
            != "1"
        {
            assert!(begun.elapsed().as_secs() < 60, "the standby does not follow: {}", standby.log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        standby
    }

    /// Makes a standby the primary. It waits for no standby of its own.
    pub fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote()");
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = ''");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn wait(&self) {
        let begun = std::time::Instant::now();
        while !is_ready(self.port) {
            assert!(begun.elapsed().as_secs() < 60, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Runs SQL in a database, and gives what `psql` prints, without headings.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", SUPERUSER]);
        run(psql.args(["-p", &self.port.to_string(), "-d", database, "-c", sql])).trim_end().to_owned()
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{SUPERUSER}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The folder that everything of it is in; the database cluster is in `data`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sends a signal to every process of it.
    pub fn signal_all(&self, signal: &str) {
        let postmaster = self.pid().to_string();
        let children = Command::new("pgrep").args(["--parent", &postmaster]).output().expect("pgrep");
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let pids = std::iter::once(postmaster.as_str()).chain(children.split_whitespace());
        // What has ended meanwhile needs no signal.
        Command::new("kill").arg(format!("-{signal}")).args(pids).output().expect("kill");
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> u32 {
        let file = self.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file).expect("postmaster.pid");
        text.lines().next().and_then(|pid| pid.trim().parse().ok()).expect("a process id")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is stopped would not end.
        if self.folder.join("data/postmaster.pid").exists() {
            self.signal_all("CONT");
        }
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
        // A keeper that was killed has not done it.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn is_ready(port: u16) -> bool {
    let mut probe = Command::new(program("pg_isready"));
    probe.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-t", "1"]);
    probe.status().is_ok_and(|status| status.success())
}

/// A database of its own on the server of this test binary.
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// A new, empty one.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // PostgreSQL copies a template for one database at a time.
        static MAKING: Mutex<()> = Mutex::new(());
        let name = format!("zegel_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        shared().sql("postgres", &format!("CREATE DATABASE {name}"));
        Self { name }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        shared().url(&self.name)
    }

    /// Runs SQL in it, and gives what `psql` prints, without headings.
    pub fn sql(&self, sql: &str) -> String {
        shared().sql(&self.name, sql)
    }
}

/// The one server of this test binary. Nothing in it needs to outlive a crash of the machine.
fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(&["fsync=off", "full_page_writes=off", "max_connections=400", "shared_buffers=64MB"])
    })
}

/// PostgreSQL will not run as root.
fn as_owner(program: &Path) -> Command {
    if is_root() {
        // It becomes the program, which so has the process id that the keeper knows.
        let mut command = Command::new("setpriv");
        command.args(["--reuid", SUPERUSER, "--regid", SUPERUSER, "--init-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// A new folder that the server's user owns.
fn folder(base: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("zegel-postgresql-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = base.join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    if is_root() {
        run(Command::new("chown").arg(SUPERUSER).arg(&folder));
    }
    folder
}

/// Of the server that is asked for; its clients may be Debian's.
fn program(name: &str) -> PathBuf {
    let named = std::env::var_os("POSTGRESQL_BIN").map(|folder| PathBuf::from(folder).join(name));
    let is_server = ["initdb", "postgres"].contains(&name);
    named.filter(|path| is_server || path.exists()).unwrap_or_else(|| of_debian(name))
}

/// Debian keeps the programs of each version apart, outside of PATH.
fn of_debian(name: &str) -> PathBuf {
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    versions.sort();
    let found =
        versions.iter().rev().map(|version| version.join("bin").join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| PathBuf::from(name))
}

/// Each server of this test binary is given another: they start side by side, and none has its port yet.
fn run(command: &mut Command) -> String {
    let output = command.current_dir("/").output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
