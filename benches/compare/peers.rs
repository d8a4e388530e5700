//! The parties: zegel, Postfix, and Postfix's own pair of test tools, each on ports of its own and ended with the
//! value that stands for it.

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::measure::Group;
use crate::support::gateway::{Site, free_port, wait_for, zegel};
use crate::support::postfix::Postfix;

/// Whose mail it is, and to whom.
pub const FROM: &str = "j.jansen@voorbeeld.nl";
pub const TO: &str = "anna@example.org";
/// So much patience with mail that does not come.
const LONGEST: Duration = Duration::from_secs(180);
/// How often we look whether it came.
const LOOK: Duration = Duration::from_millis(2);

/// A process that is killed when its value goes.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `smtp-sink`: takes mail, throws it away and counts it.
pub struct Sink {
    _process: Process,
    pub address: SocketAddr,
    count: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Sink {
    pub fn start() -> Self {
        let port = free_port();
        let mut child = Command::new("smtp-sink")
            .args(["-c", "-u", "nobody", "-m", "1000", &format!("127.0.0.1:{port}"), "1000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("smtp-sink (Debian: postfix)");
        let output = child.stdout.take().expect("a pipe");
        let count = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let reader = {
            let (count, over) = (count.clone(), over.clone());
            std::thread::spawn(move || follow(output, &count, &over))
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_for("smtp-sink", || TcpStream::connect(address).ok());
        Self { _process: Process(child), address, count, over, reader: Some(reader) }
    }

    /// Mails so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits for so many in all, and says when the last one came.
    pub fn wait(&self, goal: u64) -> Instant {
        let start = Instant::now();
        while self.count() < goal {
            assert!(start.elapsed() < LONGEST, "only {} of {goal} mails arrived", self.count());
            std::thread::sleep(LOOK);
        }
        Instant::now()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Reads `sess=1 quit=1 mesg=1` again and again. Not a wake-up for each mail: that would cost as much as the sink.
fn follow(mut output: impl Read + AsFd, count: &AtomicU64, over: &AtomicBool) {
    rustix::fs::fcntl_setfl(&output, rustix::fs::OFlags::NONBLOCK).expect("a pipe that does not block");
    let mut text = String::new();
    let mut buffer = vec![0; 1 << 16];
    while !over.load(Ordering::Relaxed) {
        while let Ok(read @ 1..) = output.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            let Some((whole, rest)) = text.rsplit_once('\r') else { continue };
            let mails = whole.rsplit_once("mesg=").and_then(|(_, number)| number.trim().parse().ok());
            count.store(mails.unwrap_or(0), Ordering::Relaxed);
            text = rest.to_owned();
        }
        std::thread::sleep(LOOK);
    }
}

/// What `smtp-source` is to send.
#[derive(Clone)]
pub struct Source {
    pub sessions: u64,
    /// Octets of the message.
    pub size: u64,
    pub subject: &'static str,
    /// One connection for all mails of a session, not one for each.
    pub kept: bool,
}

impl Source {
    /// Sends `count` mails; returns when the last one was answered.
    pub fn send(&self, to: SocketAddr, count: u64) {
        let mut command = Command::new("smtp-source");
        command.args([
            "-s",
            &self.sessions.to_string(),
            "-m",
            &count.to_string(),
            "-l",
            &self.size.to_string(),
        ]);
        command.args(["-f", FROM, "-t", TO, "-M", "mail.voorbeeld.nl", "-S", self.subject]);
        if self.kept {
            command.arg("-d");
        }
        let status = command.arg(to.to_string()).status().expect("smtp-source (Debian: postfix)");
        assert!(status.success(), "smtp-source to {to}: {status}");
    }
}

/// A zegel that relays to somebody; `ZEGEL_BIN` names another binary than the one that was built for this.
pub struct Zegel {
    process: Process,
    /// Its CPU time.
    pub group: Group,
    pub smtp: SocketAddr,
    pub web: SocketAddr,
    /// From its start to `ready`.
    pub start: Duration,
    site: Arc<Site>,
}

impl Zegel {
    /// Over a new data folder. `settings` are keys of the configuration as the environment has them: `SMTP__LISTEN`.
    pub fn start(smarthost: SocketAddr, settings: &[(&str, &str)]) -> Self {
        Self::at(Arc::new(Site::new(smarthost, "")), settings)
    }

    /// Over a data folder that is there.
    pub fn at(site: Arc<Site>, settings: &[(&str, &str)]) -> Self {
        // As under systemd: its log goes somewhere cheap, and nobody reads along while we measure.
        let log = site.config().with_file_name("zegel.log");
        let start = Instant::now();
        let child = zegel()
            .args(["serve", "--log", "json", "--config"])
            .arg(site.config())
            .envs(settings.iter().map(|(key, value)| (format!("ZEGEL_{key}"), value)))
            .stdout(File::create(&log).expect("a log"))
            .spawn()
            .expect("zegel");
        let mut process = Process(child);
        let ready = loop {
            if let Some(line) = ready_line(&log) {
                break line;
            }
            if let Some(status) = process.0.try_wait().expect("zegel's state") {
                panic!("zegel ended, {status}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            assert!(start.elapsed() < LONGEST, "zegel did not get ready");
            std::thread::sleep(LOOK);
        };
        let start = start.elapsed();
        let address = |name: &str| ready[name].as_str().expect("an address").parse().expect("an address");
        let group = Group::of(&[process.0.id()]);
        Self { group, smtp: address("smtp"), web: address("web"), start, process, site }
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// SIGTERM, and waits.
    pub fn stop(mut self) -> Arc<Site> {
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        let _ = self.process.0.wait();
        self.site.clone()
    }
}

fn ready_line(log: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(log).ok()?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().find(|line| line["message"] == "ready")
}

/// A Postfix that relays to somebody, with the defaults of Postfix but for its limit on processes.
pub struct Rival {
    pub postfix: Postfix,
    /// CPU time of all its processes.
    pub group: Group,
}

impl Rival {
    pub fn start(smarthost: SocketAddr, settings: &str) -> Self {
        // 200 sessions need 200 smtpd; 100 is the default.
        let postfix = Postfix::in_front_with(smarthost, &format!("default_process_limit = 300\n{settings}"));
        Self { group: Group::of(&[postfix.process()]), postfix }
    }
}
