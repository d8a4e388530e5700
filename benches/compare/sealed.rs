//! Mail that is sealed: in, sealed, durable, and notification and receipt on to the smarthost. Beside GnuPG, which
//! only encrypts the same bytes, two at a time.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::Plan;
use crate::measure::{forget_peak, median, peak};
use crate::party::{LARGE, Party, in_turn, middle};
use crate::peers::{Source, Zegel};
use crate::report::{Line, Section, mib};
use crate::sink::Sink;
use crate::stop;

/// A subject that seals.
pub const SUBJECT: &str = "[vertrouwelijk] stukken";
/// MiB; the default of `smtp.memory_budget`.
const BUDGET: f64 = 512.0;

/// The row for mails of `size` bytes over so many sessions.
pub fn row(plan: &Plan, name: &str, size: u64, sessions: u64) -> Section {
    let sink = Sink::start();
    let zegel = Zegel::start(sink.address, &[]);
    let parties = [Party::sealing(&zegel, &sink)];
    let source = Source { own: false, sessions, size, subject: SUBJECT, kept: false };
    let gpg = Gpg::new(size);
    let large = size > LARGE;
    gpg.encrypt(2, large);
    forget_peak(zegel.id());

    let (mut runs, mut theirs) = (Vec::new(), Vec::new());
    let once = Plan { rounds: 1, ..*plan };
    for _ in 0..plan.rounds {
        stop::if_asked();
        runs.extend(in_turn(&once, &parties, &source).remove(0));
        let first = gpg.encrypt(4, large);
        theirs.push(gpg.encrypt((first * plan.seconds) as u64, large));
    }
    let (program, factor) =
        if large { ("`gpg -c -z 0`, 2 at a time", 3.0) } else { ("`gpg -c`, 2 at a time", 10.0) };
    let ours = middle(&runs, |run| run.arrived);
    let mut lines = vec![
        Line::at_least(
            "to notification and receipt at the sink",
            "mails/s",
            ours,
            (program, median(&theirs)),
            factor,
        ),
        Line::alone("to the 250", "mails/s", middle(&runs, |run| run.answered)),
        Line::alone("CPU for 1000 mails", "s", middle(&runs, |run| run.cpu)),
    ];
    let memory = mib(peak(zegel.id()));
    lines.push(if large {
        Line::limit("peak RSS", "MiB", memory, "memory budget".into(), BUDGET)
    } else {
        Line::alone("peak RSS", "MiB", memory)
    });
    let how = format!(
        "`smtp-source`, {sessions} sessions, mails of {size} octets to one recipient, sealed with a password; the clock \
         stops when the last notification and receipt are in `smtp-sink`. Beside it GnuPG encrypts a file of as many \
         octets with a password, and does nothing else."
    );
    Section { name: name.into(), how, lines }
}

/// GnuPG with a home of its own.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    /// With a body like the mails have.
    fn new(size: u64) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let body: Vec<u8> =
            b"XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\r\n"
                .iter()
                .copied()
                .cycle()
                .take(size as usize)
                .collect();
        fs::write(home.path().join("body"), body).expect("a body");
        Self { home }
    }

    /// Encrypts the body so many times, two at a time; how many a second.
    fn encrypt(&self, count: u64, uncompressed: bool) -> f64 {
        let each = count.div_ceil(2).max(1);
        let start = Instant::now();
        thread::scope(|scope| {
            for thread in 0..2 {
                scope.spawn(move || (0..each).for_each(|_| self.encrypt_once(thread, uncompressed)));
            }
        });
        (each * 2) as f64 / start.elapsed().as_secs_f64()
    }

    fn encrypt_once(&self, thread: u32, uncompressed: bool) {
        let folder = self.home.path();
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(folder).args([
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]);
        command
            .args(["--passphrase", "kaas-molen-fiets", "--output"])
            .arg(folder.join(format!("out{thread}")));
        if uncompressed {
            command.args(["-z", "0"]);
        }
        let status = command.arg("-c").arg(folder.join("body")).stderr(Stdio::null()).status();
        assert!(status.expect("gpg (Debian: gnupg)").success(), "gpg -c");
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // It has started an agent of its own for this home.
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "gpg-agent"])
            .status();
    }
}
