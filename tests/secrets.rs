//! Where secrets must not be: a whole visit, from the mail to the answer, and then every file, log line, mail and
//! response header is searched for what was secret in it (C04, C24, C26).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use support::gateway::{Site, all_bytes, zegel};
use support::mail::{canaries, text_of};
use support::resident::{RESIDENT, Resident, code_to, seal};
use support::smarthost::{Script, Smarthost};

/// Texts of the answer, which is delivered as ordinary mail inside.
const ANSWER: &str = "kanarie-antwoord";
const FILE: &str = "kanarie-bijlage.txt";

#[test]
fn after_a_whole_visit_no_secret_is_in_a_file_log_line_or_header() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let scratch = tempfile::tempdir().unwrap();
    let mut command = zegel();
    command.env("TMPDIR", scratch.path());
    let gateway = site.start_as(command);
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let mut resident = Resident::verified(&links[0], &password, &smarthost);
    let code = code_to(&smarthost, RESIDENT, 0);
    let mut heads = String::new();
    for page in ["", "/files", "/files/1", "/zip", "/message.eml", "/reply", "/reply/message"] {
        heads.push_str(&resident.get(page).head());
    }
    let answer = resident.message("j.jansen@voorbeeld.nl", ANSWER, &[(FILE, "text/plain", b"x")], "next");
    heads.push_str(&answer.head());
    assert!(answer.status < 400, "{}", answer.text());

    let cookies: Vec<String> = resident.cookies.values().cloned().collect();
    let token = links[0].rsplit('/').next().unwrap().to_owned();
    let mut secrets = vec![ANSWER.to_owned(), FILE.to_owned(), password.clone(), code.clone(), token];
    secrets.extend(canaries().into_iter().map(str::to_owned));
    assert!(cookies.iter().any(|cookie| cookie.len() >= 52), "a session: {cookies:?}");
    secrets.extend(cookies.into_iter().filter(|cookie| cookie.len() >= 52));
    let log = gateway.log().join("\n");
    assert_nowhere(&secrets, &log, &[&site.data(), scratch.path()]);
    gateway.kill();
    assert_nowhere(&secrets, &log, &[&site.data(), scratch.path()]);

    assert!(!heads.contains(&password) && !heads.contains(&code) && !heads.contains(ANSWER), "{heads}");
    assert!(!heads.contains("kanarie-tekst") && !heads.contains("kanarie-onderwerp"), "{heads}");
    let with = |secret: &str| {
        let taken = smarthost.seen().taken;
        taken.iter().filter(|taken| text_of(taken).contains(secret)).count()
    };
    assert_eq!((with(&password), with(&code)), (1, 1), "in the receipt, and in the mail with the code");
}

fn assert_nowhere(secrets: &[String], log: &str, folders: &[&Path]) {
    let files: Vec<_> = folders.iter().flat_map(|folder| all_bytes(folder)).collect();
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
        for (path, bytes) in &files {
            assert!(memchr::memmem::find(bytes, secret.as_bytes()).is_none(), "{secret} is in {path:?}");
        }
    }
}

/// C26: the keys that follow from the master key are needed, itself is not.
#[test]
fn the_master_key_is_not_in_the_memory_of_a_running_gateway() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let master = std::fs::read(site.data().join("master.key")).unwrap();
    let memory = memory_of(gateway.process());
    let is_there = |octets: &[u8]| memchr::memmem::find(&memory, octets).is_some();
    assert!(is_there(b"voorbeeld.nl"), "the memory can be read");
    for half in master.chunks(16) {
        assert!(!is_there(half), "the master key is in memory");
    }
}

/// All that a process could write to, one region behind the other. Only root may look.
fn memory_of(process: u32) -> Vec<u8> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).expect("this test runs as root");
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut region = vec![0; (to - from) as usize];
        // Regions of the kernel's own cannot be read.
        if memory.read_exact_at(&mut region, from).is_ok() {
            all.extend(region);
        }
    }
    all
}

/// C26: whatever the limit was that it came with, it may write no core file, and it writes none.
#[test]
fn a_crash_leaves_no_core_file() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("ulimit -c unlimited; exec \"$0\" \"$@\"").arg(zegel().get_program());
    let gateway = site.start_as(shell);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.process())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{limit}");
    let status = gateway.crash();
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!status.core_dumped(), "a core file was written");
}

/// C26: the unit forbids core files and swap for its part.
#[test]
fn the_unit_keeps_memory_out_of_files() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/zegel.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    for line in ["LimitCORE=0", "MemorySwapMax=0"] {
        assert!(unit.lines().any(|other| other == line), "{line} is missing");
    }
}
