//! The systemd unit (H29): how exposed systemd itself finds the service, whether every system call of a whole day is one
//! that the unit allows, and what the process has given up once it runs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use support::clamd::Clamd;
use support::gateway::{Gateway, Site, wait_for, zegel};
use support::mail::Notice;
#[cfg(feature = "cluster")]
use support::postgresql::TestDatabase;
#[cfg(feature = "cluster")]
use support::radosgw::{self, BUCKET, KEY_ID, SECRET};
use support::resident::{RESIDENT, Resident, STAFF, form, seal};
use support::smarthost::{Script, Smarthost};

const UNIT: &str = "systemd/zegel.service";
const BACKUP: &str = "systemd/zegel-backup.service";
const TIMER: &str = "systemd/zegel-backup.timer";
/// SQLite gives files it makes to the owner of the database, when root runs it; the service is never root.
const ONLY_AS_ROOT: &str = "fchown";

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// `systemd-analyze security`, as tenths.
#[test]
fn systemd_finds_the_services_hardly_exposed() {
    for unit in [UNIT, BACKUP] {
        output_of("systemd-analyze", &["security", "--offline=yes", "--threshold=20", unit]);
    }
}

/// What the unit of the backup says is a command line that zegel takes, and the moments of its timer are some.
#[test]
fn the_backup_that_a_timer_starts_is_one_that_zegel_makes() {
    let line = |file: &str, key: &str| {
        let unit = std::fs::read_to_string(file).unwrap();
        unit.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned()
    };
    output_of("systemd-analyze", &["calendar", &line(TIMER, "OnCalendar=")]);
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    assert_eq!(site.start().stop(), 0);
    let into = site.config().with_file_name("backups");
    let command =
        line(BACKUP, "ExecStart=/usr/bin/zegel ").replace("/var/backups/zegel", into.to_str().unwrap());
    let (command, _) = command.split_once(" --config").unwrap();
    let (status, out, error) = site.command(&command.split(' ').collect::<Vec<_>>());
    assert!(status == 0 && out.contains("complete"), "{out}{error}");
    let made = std::fs::read_dir(&into).unwrap().next().unwrap().unwrap().path();
    assert!(made.join("backup.json").exists() && !made.join("master.key").exists());
}

/// Names in a line `SystemCallFilter=` of the unit; those behind `~` are taken away again.
fn allowed_by_the_unit() -> BTreeSet<String> {
    let unit = std::fs::read_to_string(UNIT).unwrap();
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (names, is_denied) = line.strip_prefix('~').map_or((line, false), |names| (names, true));
        for call in names.split_whitespace().flat_map(calls_in) {
            if is_denied {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    allowed
}

/// The calls in a set of systemd's (`@file-system`), sets in it included, or the one call of this name.
fn calls_in(name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return BTreeSet::from([name.to_owned()]);
    }
    let listing = output_of("systemd-analyze", &["syscall-filter", name]);
    let entries =
        listing.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    entries.flat_map(calls_in).collect()
}

/// A table of `strace -c` ends each line with the call.
fn calls_made(table: &str) -> BTreeSet<String> {
    let names = table.lines().filter_map(|line| line.split_whitespace().last());
    let is_call =
        |name: &&str| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    names.filter(is_call).filter(|name| *name != "total" && *name != "syscall").map(str::to_owned).collect()
}

/// What a gateway does in its life: mail in and out, a transfer, an answer with a file, a reload, an end.
fn a_whole_day(site: &Site, smarthost: &Smarthost, gateway: Gateway) {
    let (links, password) = seal(smarthost, site, &gateway, &[RESIDENT]);
    let before = smarthost.seen().taken.len();
    let large = format!("Subject: gewoon\r\n\r\n{}", "regel van zestig tekens\r\n".repeat(20_000));
    support::client::submit(gateway.smtp, STAFF, &[RESIDENT], large.as_bytes());
    smarthost.wait(|seen| seen.taken.len() > before);

    let mut resident = Resident::verified(&links[0], &password, smarthost);
    assert_eq!(resident.get("/zip").status, 200);
    let id = resident.begin("verslag.pdf", 5);
    assert_eq!(resident.piece(&id, 0, b"%PDF-").status, 204);
    let to = [("to", STAFF), ("message", "Hierbij."), ("next", "1")];
    assert_eq!(resident.message(to[0].1, to[1].1, &[], to[2].0).status, 303);
    let before = smarthost.seen().taken.len();
    assert_eq!(resident.send(&form(&[])).status, 303);
    smarthost.wait(|seen| seen.taken[before..].iter().any(|taken| Notice::of(taken).to == [STAFF]));

    gateway.reload();
    gateway.wait_for_log("\"configuration\"");
    assert_eq!(site.command(&["transfer", "list"]).0, 0);
    assert_eq!(gateway.stop(), 0);
}

/// The smarthost by a name, so that it is looked up.
fn by_name(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

#[test]
fn every_system_call_is_one_that_the_unit_allows() {
    assert_allowed("");
}

/// The same with a database and a bucket: other sockets, other libraries, other threads.
#[cfg(feature = "cluster")]
#[test]
fn every_system_call_with_a_store_is_one_that_the_unit_allows() {
    let (database, service) = (TestDatabase::new(), radosgw::shared());
    let folder = tempfile::tempdir().unwrap();
    let (password, credentials) = (folder.path().join("password"), folder.path().join("credentials"));
    std::fs::write(&password, "not asked for on loopback\n").unwrap();
    std::fs::write(&credentials, format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"))
        .unwrap();
    assert_allowed(&format!(
        "[store]\ndatabase = \"{}\"\npassword_file = {password:?}\nblobs = \"s3://{BUCKET}/sandbox\"\nendpoint = \"{}\"\n\
         credentials_file = {credentials:?}\n",
        database.url(),
        service.endpoint()
    ));
}

/// A whole day with these lines behind the configuration makes no call that the unit would refuse.
fn assert_allowed(store: &str) {
    let smarthost = Smarthost::start(Script::usual());
    let clamd = Clamd::start();
    let scanner = format!("[reply]\nscanner = \"{}\"\n", clamd.socket().display());
    let site = Site::new(smarthost.address(), &format!("{scanner}{store}"));
    let config = std::fs::read_to_string(site.config()).unwrap();
    let named = config.replace(&smarthost.address().to_string(), &by_name(smarthost.address()));
    std::fs::write(site.config(), named).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("calls");
    let mut traced = Command::new("strace");
    // -D: the gateway is our child, and strace its; so it is the gateway that the signals reach.
    traced.args(["-D", "-f", "-c", "-U", "name", "-o"]).arg(&table).arg(zegel().get_program());
    traced.env_remove("RUST_BACKTRACE").env_remove("ZEGEL_BIN");
    a_whole_day(&site, &smarthost, site.start_as(traced));

    let calls = wait_for("the table of strace", || {
        let calls = calls_made(&std::fs::read_to_string(&table).ok()?);
        (!calls.is_empty()).then_some(calls)
    });
    assert!(calls.contains("fsync") || calls.contains("fdatasync"), "no whole day: {calls:?}");
    let allowed = allowed_by_the_unit();
    let denied: Vec<&String> = calls.difference(&allowed).filter(|call| *call != ONLY_AS_ROOT).collect();
    assert!(denied.is_empty(), "the unit would refuse {denied:?}");
    assert!(!allowed.contains("ptrace") && !allowed.contains("mount") && !allowed.contains("bpf"));
}

/// What `sandbox::enter` is for; that it works is shown beside it.
#[test]
fn a_running_gateway_has_given_up_programs_and_privileges() {
    let smarthost = Smarthost::start(Script::usual());
    let gateway = Site::new(smarthost.address(), "");
    let gateway = gateway.start();
    let threads = std::fs::read_dir(format!("/proc/{}/task", gateway.process())).unwrap();
    let mut seen = 0;
    for thread in threads.map(|thread| thread.unwrap().path().join("status")) {
        // A thread may have ended since.
        let Ok(status) = std::fs::read_to_string(thread) else { continue };
        assert!(status.contains("Seccomp:\t2"), "{status}");
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        seen += 1;
    }
    assert!(seen > 1);
}
