//! The parties: zegel, Postfix, and who sends them mail, each on ports of its own and ended with the value that stands
//! for it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::load::{self, FROM, Mails, TO};
use crate::measure::Group;
use crate::stop;
use crate::support::gateway::{Site, zegel};
use crate::support::postfix::Postfix;

/// So much patience with a start.
const LONGEST: Duration = Duration::from_secs(60);
/// How often we look whether it is ready.
const LOOK: Duration = Duration::from_millis(2);

/// A process that is killed when its value goes.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is sent, and how.
#[derive(Clone)]
pub struct Source {
    /// By our own client; else by `smtp-source`.
    pub own: bool,
    pub sessions: u64,
    /// Bytes of the message.
    pub size: u64,
    pub subject: &'static str,
    /// One connection for all mails of a session, not one for each. Our own client keeps them always.
    pub kept: bool,
}

impl Source {
    /// Sends `count` mails; returns when the last one was answered.
    pub fn send(&self, to: SocketAddr, count: u64) {
        if self.own {
            load::send(to, self.sessions, count, &Mails::new(self.subject, self.size));
            return;
        }
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
            stop::if_asked();
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
