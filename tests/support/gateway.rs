//! The real binary on ports of its own, over a data folder that outlives it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

pub use super::place::free_port;

/// How long a test waits for anything before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Configuration and data of one gateway; start it as often as you like.
pub struct Site {
    folder: tempfile::TempDir,
}

/// A running gateway; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Where it takes mail.
    pub smtp: SocketAddr,
    /// Where its pages are.
    pub web: SocketAddr,
    /// Where the administrator looks.
    pub admin: SocketAddr,
}

impl Site {
    /// A site of voorbeeld.nl that relays to `smarthost`; `extra` is added to the configuration.
    pub fn new(smarthost: SocketAddr, extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let web_port = free_port();
        let config = format!(
            r#"
hostname = "veilig.voorbeeld.nl"
data_dir = "data"
[organisation]
name = "Gemeente Voorbeeld"
domains = ["voorbeeld.nl"]
phone = "14 0511"
[smtp]
listen = ["127.0.0.1:0"]
[relay]
smarthost = "{smarthost}"
retry = ["1s"]
[web]
listen = ["127.0.0.1:{web_port}"]
public_url = "http://127.0.0.1:{web_port}"
[admin]
listen = ["127.0.0.1:0"]
{extra}
"#
        );
        std::fs::write(folder.path().join("zegel.toml"), config).unwrap();
        Self { folder }
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("zegel.toml")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What every link starts with.
    pub fn public_url(&self) -> String {
        let config = std::fs::read_to_string(self.config()).unwrap();
        let (_, url) = config.split_once("public_url = \"").unwrap();
        url.split_once('"').unwrap().0.to_owned()
    }

    /// Runs a command of the binary to its end: status, standard output, standard error.
    pub fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        self.command_as(zegel(), arguments)
    }

    /// As [`Site::command`], by a command that runs the binary with the arguments it is given.
    pub fn command_as(&self, mut command: Command, arguments: &[&str]) -> (i32, String, String) {
        let output = command.args(arguments).arg("--config").arg(self.config()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    /// Adds a line to a section of the configuration.
    pub fn set(&self, section: &str, line: &str) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        let heading = format!("[{section}]\n");
        assert!(config.contains(&heading), "no [{section}]");
        std::fs::write(self.config(), config.replace(&heading, &format!("{heading}{line}\n"))).unwrap();
    }

    /// Writes something else in the place of a text of the configuration.
    pub fn replace(&self, old: &str, new: &str) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        assert!(config.contains(old), "{config}");
        std::fs::write(self.config(), config.replace(old, new)).unwrap();
    }

    /// Gives every listener a port of its own that stays the same from one start to the next: SMTP, pages, administrator.
    pub fn listen_at_fixed_ports(&self) -> [SocketAddr; 3] {
        let config = std::fs::read_to_string(self.config()).unwrap();
        let web = self.public_url().rsplit_once(':').unwrap().1.parse().unwrap();
        let [smtp, admin] = [free_port(), free_port()];
        let mut ports = [smtp, admin].into_iter();
        let lines = config.lines().map(|line| match line {
            "listen = [\"127.0.0.1:0\"]" => format!("listen = [\"127.0.0.1:{}\"]", ports.next().unwrap()),
            line => line.to_owned(),
        });
        std::fs::write(self.config(), lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
        [smtp, web, admin].map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Names the pages as a proxy in front of them does.
    pub fn publish_at(&self, url: &str) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        let own = format!("public_url = \"{}\"", self.public_url());
        assert!(config.contains(&own), "{config}");
        std::fs::write(self.config(), config.replace(&own, &format!("public_url = \"{url}\""))).unwrap();
    }

    /// Starts the gateway and waits until it says `ready`.
    pub fn start(&self) -> Gateway {
        self.start_as(zegel())
    }

    /// As [`Site::start`], by a command that ends in running the binary with the arguments it is given.
    pub fn start_as(&self, command: Command) -> Gateway {
        self.try_start_as(command).unwrap_or_else(|log| panic!("the gateway did not get ready: {log:#?}"))
    }

    /// As [`Site::start_as`]; the log of one that does not get ready.
    pub fn try_start_as(&self, mut command: Command) -> Result<Gateway, Vec<String>> {
        let mut child = command
            .args(["serve", "--log", "json", "--config"])
            .arg(self.config())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let ready = follow(child.stdout.take().unwrap(), log.clone());
        let Ok(line) = ready.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(log.lock().unwrap().clone());
        };
        let address = |name: &str| line[name].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
        Ok(Gateway { child, log, smtp: address("smtp"), web: address("web"), admin: address("admin") })
    }
}

impl Gateway {
    /// `kill -9`
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit status.
    pub fn stop(mut self) -> i32 {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// SIGTERM, without waiting for the end.
    pub fn terminate(&self) {
        signal(self.child.id(), "TERM");
    }

    /// The number of the process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGHUP
    pub fn reload(&self) {
        signal(self.child.id(), "HUP");
    }

    /// The log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) {
        wait_for("the end of the gateway", || self.child.try_wait().unwrap());
    }

    /// Ends it as a fault in the program would.
    pub fn crash(mut self) -> ExitStatus {
        signal(self.child.id(), "ABRT");
        self.child.wait().unwrap()
    }

    /// Bytes of memory that it has held at most.
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// Whether nothing waits in the queue.
    pub fn is_idle(&self) -> bool {
        let answer = ureq::get(format!("http://{}/metrics", self.admin)).call();
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        text.is_ok_and(|text| text.contains("\nzegel_queue_items 0\n"))
    }

    /// Waits until a line of the log holds `text`.
    pub fn wait_for_log(&self, text: &str) -> String {
        wait_for(&format!("log line with {text:?}"), || {
            self.log().into_iter().find(|line| line.contains(text))
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log().join("\n"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary under test; `ZEGEL_BIN` names another.
pub fn zegel() -> Command {
    let binary = std::env::var_os("ZEGEL_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_zegel").into());
    let mut command = Command::new(binary);
    // To zegel it would be a key of the configuration.
    command.env_remove("RUST_BACKTRACE").env_remove("ZEGEL_BIN");
    command
}

/// Looks again and again until there is something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Copies all that is in a folder into another, as it is.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    assert!(Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap().success());
}

/// Every byte below a folder, for canary searches.
pub fn all_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all_bytes(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

/// Sends a process a signal.
pub fn signal(process: u32, name: &str) {
    assert!(
        Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().unwrap().success()
    );
}

/// Collects the log in the background; the receiver gets the `ready` line.
fn follow(output: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) -> Receiver<Value> {
    let (sender, ready) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            log.lock().unwrap().push(line);
            if value["message"] == "ready" {
                let _ = sender.send(value);
            }
        }
    });
    ready
}
