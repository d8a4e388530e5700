//! Every file call of the gateway goes wrong once: with an error, half done, or as the last thing the process does. What
//! was acknowledged is delivered, what was refused is not, and nothing confidential is ever written down (C01 to C04).
//!
//! `support/disk` stands between the real binary and its disk. Each walk counts through the calls of one mail until
//! there is none left to go wrong: after the first eight every fourth, or with `TEST_EVERY=1` every one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use rusqlite::{Connection, OpenFlags};
use support::client::{SmtpClient, submit};
use support::disk::{Act, Call, DEATHS, Disk, EINTR, EIO, EMFILE, ENOSPC, Fault};
use support::gateway::{Gateway, Site, all_bytes, copy, wait_for};
use support::load::{CANARY, Mail, RESIDENTS, Random, STAFF, arrivals, assert_nothing_lost};
use support::smarthost::{Act as Say, Script, Smarthost, Stage, say};

/// The ways through the store: name, confidential, lines.
const SMALL: Kind = ("klein", false, 2);
const LARGE: Kind = ("groot", false, 4000);
const SEALED: Kind = ("verzegeld", true, 3);

/// Everything that can go wrong with a call and leave the process alive.
const ERRORS: &[(Call, Act)] = &[
    (Call::Open, Act::Fail(EMFILE)),
    (Call::Read, Act::Fail(EIO)),
    (Call::Read, Act::Half),
    (Call::Write, Act::Fail(EIO)),
    (Call::Write, Act::Fail(EINTR)),
    (Call::Write, Act::Half),
    (Call::Write, Act::HalfThenFail(ENOSPC)),
    (Call::Sync, Act::Fail(EIO)),
    (Call::Rename, Act::Fail(EIO)),
];

type Kind = (&'static str, bool, usize);

/// C02, C03, C04: nobody hears 250 for what is not delivered, nor 451 for what is.
#[test]
fn one_error_at_any_call_costs_small_mail_a_451_at_most() {
    survive_errors(SMALL);
}

#[test]
fn one_error_at_any_call_costs_large_mail_a_451_at_most() {
    survive_errors(LARGE);
}

#[test]
fn one_error_at_any_call_costs_confidential_mail_a_451_at_most() {
    survive_errors(SEALED);
}

/// A gateway for each kind of error, side by side: what fails in the queue is tried again a second later.
fn survive_errors(kind: Kind) {
    let refused = side_by_side(ERRORS, |call, act| {
        let mut stand = Stand::new(Script::usual());
        let gateway = stand.start();
        // The first walk may meet what the start does behind a small mail; the journal is still until a mail comes.
        for part in ["", "journal"] {
            walk(part, call, act, |fault| stand.survive(&gateway, kind, fault));
        }
        let refused = stand.sent.iter().filter(|mail| !mail.acknowledged).count();
        stand.send(&gateway, kind);
        assert!(stand.sent.last().unwrap().acknowledged, "all is as before");
        stand.count(1);
        stand.assert_no_blob_too_many(gateway);
        refused
    });
    assert!(refused > 0, "nothing went wrong");
}

/// C01, H02: killed at any call, it loses nothing and doubles one at most.
#[test]
fn killed_at_any_call_it_loses_no_small_mail() {
    die_everywhere(SMALL);
}

#[test]
fn killed_at_any_call_it_loses_no_large_mail() {
    die_everywhere(LARGE);
}

#[test]
fn killed_at_any_call_it_loses_no_confidential_mail() {
    die_everywhere(SEALED);
}

fn die_everywhere(kind: Kind) {
    let deaths = side_by_side(DEATHS, |call, act| {
        let mut stand = Stand::new(Script::usual());
        let deaths = walk("", call, act, |fault| stand.die(kind, fault));
        let gateway = stand.start();
        stand.count(2);
        stand.assert_no_blob_too_many(gateway);
        deaths
    });
    assert!(deaths > 5, "{deaths}");
}

/// C01: a crash while the last crash is cleared up.
#[test]
fn killed_at_any_call_of_a_start_it_starts_again_with_everything() {
    let deaths = side_by_side(DEATHS, die_at_the_start);
    assert!(deaths > 10, "{deaths}");
}

fn die_at_the_start(call: Call, act: Act) -> usize {
    let mut stand = Stand::new(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let gateway = stand.start();
    for kind in [SMALL, LARGE, SEALED, SMALL] {
        stand.send(&gateway, kind);
    }
    gateway.kill();
    let (data, kept) = (stand.site.data(), tempfile::tempdir().unwrap());
    copy(&data, kept.path());
    let deaths = walk("", call, act, |fault| {
        std::fs::remove_dir_all(&data).unwrap();
        copy(kept.path(), &data);
        stand.disk.arm(fault);
        let started = stand.disk.try_start(&stand.site);
        let has_died = stand.disk.mend();
        assert!(has_died || started.is_ok(), "{started:?}");
        drop(started);
        let (_, queue, _) = stand.site.command(&["queue", "list", "--json"]);
        assert_eq!(
            queue.matches("\"id\"").count(),
            6,
            "three messages, two notifications, a receipt: {fault:?}"
        );
        has_died
    });
    stand.smarthost.change(Script::usual());
    let gateway = stand.start();
    stand.count(1);
    stand.assert_no_blob_too_many(gateway);
    deaths
}

/// C36: nor does it matter where the very first start is cut off.
#[test]
fn killed_at_any_call_of_the_first_start_it_can_be_begun_again() {
    let deaths = side_by_side(DEATHS, |call, act| {
        let mut stand = Stand::new(Script::usual());
        let data = stand.site.data();
        let deaths = walk("", call, act, |fault| {
            std::fs::remove_dir_all(&data).unwrap();
            std::fs::create_dir(&data).unwrap();
            stand.disk.arm(fault);
            let started = stand.disk.try_start(&stand.site);
            let has_died = stand.disk.mend();
            assert!(has_died || started.is_ok(), "{started:?}");
            drop(started);
            if has_died {
                assert_eq!(stand.start().stop(), 0, "{fault:?}");
            }
            has_died
        });
        let gateway = stand.start();
        stand.send(&gateway, SEALED);
        stand.count(1);
        deaths
    });
    assert!(deaths > 10, "{deaths}");
}

/// C03: a disk that stays broken, until it is mended. What is refused then may be on it all the same, where not even
/// that could be undone; so the gateway is not killed here.
#[test]
fn a_disk_that_stays_broken_refuses_until_it_is_mended() {
    let mut stand = Stand::new(Script::usual());
    let gateway = stand.start();
    for (call, act) in [
        (Call::Sync, Act::Fail(EIO)),
        (Call::Write, Act::Fail(EIO)),
        (Call::Write, Act::HalfThenFail(ENOSPC)),
        (Call::Open, Act::Fail(EMFILE)),
    ] {
        stand.disk.arm(&Fault { call, part: "", number: 1, act, lasting: true });
        for kind in [SMALL, LARGE, SEALED, SMALL] {
            let reply = stand.send(&gateway, kind).expect("a reply");
            let is_needed = call != Call::Open || kind != SMALL;
            assert!(reply.starts_with("451 4.3.0 ") || !is_needed, "{call:?} {kind:?}: {reply}");
        }
        assert!(stand.disk.mend());
        for kind in [SMALL, LARGE, SEALED] {
            let reply = stand.send(&gateway, kind).expect("a reply");
            assert!(reply.starts_with("250 "), "{call:?} {kind:?}: {reply}");
        }
    }
    stand.count(1);
    stand.assert_no_blob_too_many(gateway);
}

/// C02: at each 250 everything that was written since the last one has been flushed, and every new name with it.
#[test]
fn a_250_follows_every_flush() {
    let mut stand = Stand::new(Script::usual().at(Stage::Connect, Say::Hang));
    let gateway = stand.start();
    stand.send(&gateway, SMALL);
    for kind in [SMALL, LARGE, SEALED] {
        stand.disk.forget();
        assert!(stand.send(&gateway, kind).unwrap().starts_with("250 "));
        let trace = stand.disk.trace();
        let promise = trace.iter().position(|(what, _)| what == "PROMISED").expect("a promise");
        let (written, dirty) = not_flushed(&trace[..promise]);
        assert!(written > 0, "{kind:?}: nothing was written before the 250: {trace:#?}");
        assert!(dirty.is_empty(), "{kind:?}: not flushed: {dirty:?} in {trace:#?}");
    }
}

/// Each of many files is flushed (C02), and their folders together: nobody waits minutes for a mail with a thousand.
#[test]
fn many_files_share_the_flushes_of_their_folders() {
    const FILES: usize = 1000;
    let stand = Stand::new(Script::usual().at(Stage::Connect, Say::Hang));
    let gateway = stand.start();
    stand.disk.forget();
    let file =
        |n| format!("--b\r\nContent-Disposition: attachment; filename={n}.txt\r\n\r\n{CANARY} {n}\r\n");
    let mail = format!(
        "From: {STAFF}\r\nSubject: [vertrouwelijk] x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         {}--b--\r\n",
        (0..FILES).map(file).collect::<String>()
    );
    submit(gateway.smtp, STAFF, &RESIDENTS[..1], mail.as_bytes());
    let trace = stand.disk.trace();
    let promise = trace.iter().position(|(what, _)| what == "PROMISED").expect("a promise");
    let (_, dirty) = not_flushed(&trace[..promise]);
    assert!(dirty.is_empty(), "not flushed: {dirty:?}");
    let synced = |is_one: fn(&str) -> bool| {
        trace[..promise].iter().filter(|(what, path)| what == "sync" && is_one(path)).count()
    };
    let files = synced(|path| path.starts_with("blobs/tmp/"));
    assert!(files >= FILES, "{files} files");
    let folders = synced(|path| path.starts_with("blobs") && !path.starts_with("blobs/tmp/"));
    assert!(folders < FILES / 20, "{folders} folders");
    stand.assert_no_plaintext();
}

/// How many calls wrote, and what of it is not on disk.
fn not_flushed(trace: &[(String, String)]) -> (usize, BTreeSet<&str>) {
    let folder_of = |path| Path::new(path).parent().and_then(Path::to_str).unwrap_or_default();
    let (mut written, mut dirty) = (0, BTreeSet::new());
    // The index of the log is made anew after a crash; what is in the making has no name yet that counts.
    let counts = |path: &str| !path.ends_with("-shm") && !path.starts_with("blobs/tmp");
    for (what, path) in trace.iter().filter(|(_, path)| counts(path)) {
        match what.as_str() {
            "write" | "truncate" => dirty.insert(path.as_str()),
            "create" | "rename" => dirty.insert(folder_of(path)),
            "sync" => dirty.remove(path.as_str()),
            _ => continue,
        };
        written += usize::from(what == "write" || what == "rename");
    }
    (written, dirty)
}

/// A gateway on such a disk, and everything that was sent to it.
struct Stand {
    smarthost: Smarthost,
    site: Site,
    disk: Disk,
    sent: Vec<Mail>,
    random: Random,
}

impl Stand {
    fn new(script: Script) -> Self {
        let smarthost = Smarthost::start(script);
        let site = Site::new(smarthost.address(), "");
        let disk = Disk::under(&site);
        Self { smarthost, site, disk, sent: Vec::new(), random: Random::new(6) }
    }

    fn start(&self) -> Gateway {
        self.disk.start(&self.site)
    }

    /// Sends one more mail; the reply, if there was one.
    fn send(&mut self, gateway: &Gateway, (name, confidential, lines): Kind) -> Option<String> {
        let to = vec![RESIDENTS[0], RESIDENTS[1]];
        let name = format!("{name}.{}", self.sent.len());
        let mut mail = Mail::of(&name, confidential, to, lines, &mut self.random);
        let client = SmtpClient::connect(gateway.smtp);
        let reply = client.and_then(|mut client| client.send(STAFF, &mail.to, &mail.bytes)).ok();
        mail.acknowledged = reply.as_ref().is_some_and(|reply| reply.starts_with("250 "));
        self.sent.push(mail);
        reply
    }

    /// Has one call of one mail go wrong; tells whether there was such a call.
    fn survive(&mut self, gateway: &Gateway, kind: Kind, fault: &Fault<'_>) -> bool {
        self.disk.arm(fault);
        let reply = self.send(gateway, kind).expect("a reply");
        assert!(reply.starts_with("250 ") || reply.starts_with("451 4.3.0 "), "{fault:?}: {reply}");
        wait_for("an empty queue", || gateway.is_idle().then_some(()));
        self.disk.mend()
    }

    /// Kills it at one call of one mail; tells whether there was such a call.
    fn die(&mut self, kind: Kind, fault: &Fault<'_>) -> bool {
        let gateway = self.start();
        wait_for("what the last death left", || gateway.is_idle().then_some(()));
        self.disk.arm(fault);
        self.send(&gateway, kind);
        wait_for("its death, or an empty queue", || {
            (self.disk.has_struck() || gateway.is_idle()).then_some(())
        });
        let has_died = self.disk.mend();
        if has_died {
            gateway.wait();
            self.assert_no_plaintext();
        }
        has_died
    }

    /// Waits until all has left, and counts: each at most so often, and what was refused not at all unless it died.
    fn count(&self, most: usize) {
        wait_for("an empty queue", || {
            let (_, list, _) = self.site.command(&["queue", "list", "--json"]);
            self.site.command(&["queue", "retry", "--all"]);
            (list.trim() == "[]").then_some(())
        });
        let arrivals = arrivals(&self.sent, &self.smarthost.seen().taken);
        assert_nothing_lost(&self.sent, &arrivals);
        let refused: BTreeSet<&str> =
            self.sent.iter().filter(|mail| !mail.acknowledged).map(|mail| mail.id.as_str()).collect();
        for (delivery, connections) in &arrivals {
            assert!(connections.len() <= most, "{delivery:?} arrived {} times", connections.len());
            assert!(most > 1 || !refused.contains(delivery.id.as_str()), "{delivery:?} was refused");
        }
        self.assert_no_plaintext();
    }

    /// After a new start there are the blobs that the database knows, and no others.
    fn assert_no_blob_too_many(&self, gateway: Gateway) {
        assert_eq!(gateway.stop(), 0);
        let _gateway = self.start();
        let database = self.site.data().join("zegel.db");
        let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        wait_for("no blob but those of transfers", || {
            let count = "SELECT count(*) FROM parts";
            let known: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
            (all_bytes(&self.site.data().join("blobs")).len() as i64 == known).then_some(())
        });
    }

    fn assert_no_plaintext(&self) {
        for (path, bytes) in all_bytes(&self.site.data()) {
            assert!(memchr::memmem::find(&bytes, CANARY.as_bytes()).is_none(), "plaintext in {path:?}");
        }
    }
}

/// The calls of one mail on such paths, one after another, until there is none left: how many there are.
fn walk(part: &str, call: Call, act: Act, mut go_wrong: impl FnMut(&Fault<'_>) -> bool) -> usize {
    let fault = |number| Fault { call, part, number, act, lasting: false };
    let mut numbers = (1..9).chain((9..).step_by(every()));
    let calls = numbers.find(|number| !go_wrong(&fault(*number))).unwrap() - 1;
    println!("{call:?} {act:?} {part}: {calls} calls");
    calls as usize
}

/// Most of many calls are alike, page after page of the database's log.
fn every() -> usize {
    std::env::var("TEST_EVERY").map_or(4, |text| text.parse().expect("TEST_EVERY is a number"))
}

/// Does it with all of them at once; the sum of what comes out.
fn side_by_side(all: &[(Call, Act)], work: impl Fn(Call, Act) -> usize + Sync) -> usize {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|(call, act)| scope.spawn(move || work(*call, *act))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}
