//! What goes wrong around the gateway: disk, smarthost, clients, limits of the system. Whatever it is, nobody
//! hears 250 for a mail that is not delivered afterwards, and when it is over all is as before (C03, C05, H06).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, Site, all_bytes, free_port, wait_for, zegel};
use support::mail::tagged;
use support::resident::{Drip, Resident, seal};
use support::smarthost::{Act, Script, Smarthost, Stage, say};
use support::web::get;
use zegel::id::BlobName;

const STAFF: &str = "j.jansen@voorbeeld.nl";
const ANNA: &str = "anna@example.org";
const BOB: &str = "bob@example.net";
const ELS: &str = "els@example.com";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A mail of about `size` bytes.
fn ordinary(subject: &str, size: usize) -> Vec<u8> {
    let line = format!("{:=<76}\r\n", "");
    format!("Subject: {subject}\r\n\r\n{}", line.repeat(size / line.len() + 1)).into_bytes()
}

fn confidential(size: usize) -> Vec<u8> {
    ordinary("[vertrouwelijk] x", size)
}

/// The reply to a mail over a connection of its own.
fn attempt(gateway: &Gateway, mail: &[u8]) -> String {
    SmtpClient::connect(gateway.smtp).unwrap().send(STAFF, &[ANNA], mail).unwrap()
}

/// Has everything tried again until nothing is left in the queue.
fn drain(site: &Site) {
    wait_for("an empty queue", || {
        let empty = site.command(&["queue", "list", "--json"]).1.trim() == "[]";
        if !empty {
            site.command(&["queue", "retry", "--all"]);
        }
        empty.then_some(())
    });
}

/// Runs the binary with a limit that `ulimit` sets.
fn limited(limit: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit {limit}; exec \"$0\" \"$@\"")).arg(zegel().get_program());
    shell
}

#[cfg(feature = "system-tests")]
fn without_small_disk() {
    panic!("a small disk cannot be mounted");
}

#[cfg(not(feature = "system-tests"))]
#[allow(clippy::explicit_write, reason = "the test harness keeps what a passing test prints")]
fn without_small_disk() {
    use std::io::Write;
    writeln!(std::io::stderr(), "skipped: a small disk cannot be mounted (needs root)").unwrap();
}

/// A small disk under the data folder of a site; only root may have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn under(site: &Site) -> Option<Self> {
        Self::of(site, "56m")
    }

    fn of(site: &Site, size: &str) -> Option<Self> {
        let folder = site.data();
        std::fs::create_dir_all(&folder).unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "none"], &folder);
        if !mounted {
            without_small_disk();
        }
        mounted.then_some(Self(folder))
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        for piece in [64 * KIB, 4 * KIB, 1] {
            let zeros = vec![0; piece];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    /// Takes bytes until only so many are left.
    fn leave(&self, octets: usize) {
        let file = std::fs::File::create(self.0.join("filler")).unwrap();
        file.set_len(0).unwrap();
        let taken = self.room().saturating_sub(octets);
        std::fs::write(self.0.join("filler"), vec![0; taken]).unwrap();
    }

    fn room(&self) -> usize {
        let disk = rustix::fs::statvfs(&self.0).unwrap();
        (disk.f_bavail * disk.f_frsize) as usize
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn become_read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], &self.0));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(options: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(options).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

/// H39: one visitor with sixty connections. Before an upload had one writer they wrote 420 MiB for one of 64 MiB, and
/// all mail got 451.
#[test]
fn uploads_side_by_side_leave_the_disk_to_the_mail() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let Some(disk) = SmallDisk::of(&site, "220m") else { return };
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &[ANNA]);
    let anna = Resident::verified(&links[0], &password, &smarthost);

    // Sixty at one upload: one of them writes.
    let id = anna.begin("film.mp4", 24 * MIB);
    let piece = vec![7; 7 * MIB];
    let mut held: Vec<Drip> = (0..60).map(|_| anna.drip(&id, 24 * MIB, &piece)).collect();
    let refused: Vec<u16> = held.iter_mut().filter_map(Drip::refusal).collect();
    assert_eq!(refused.len(), 59);
    assert!(refused.iter().all(|status| matches!(status, 409 | 423)), "{refused:?}");
    assert!(disk.room() > 150 * MIB, "{}", disk.room());
    attempt_all(&gateway);
    drop(held);

    // Sixty at sixty uploads: as many as there is room for, each with its own.
    let ids: Vec<String> = (0..60).filter_map(|_| anna.begin_deferred()).collect();
    let held: Vec<Drip> = ids.iter().map(|id| anna.drip(id, 24 * MIB, &piece)).collect();
    attempt_all(&gateway);
    assert!(disk.room() > 100 * MIB, "{}", disk.room());
    drop(held);

    // Where the pages have used up their share they say so, and mail goes on.
    disk.leave(100 * MIB);
    let mut anna = anna;
    let page = anna.message(STAFF, "Beste Jan", &[], "next");
    assert_eq!(page.status, 507, "{}", page.text());
    assert!(page.text().contains("te weinig ruimte"), "{}", page.text());
    // What cannot be kept stays on the page.
    assert!(page.text().contains("Beste Jan</textarea>"), "{}", page.text());
    let page = anna.post("/reply/check", "cc=els%40voorbeeld.nl");
    assert_eq!(page.status, 507, "{}", page.text());
    assert!(page.text().contains("els@voorbeeld.nl</textarea>"), "{}", page.text());
    let mut eva = Resident::open(&links[0], &password);
    let page = eva.post("/reply", "name=Eva&email=eva%40example.org&phone=06");
    assert_eq!(page.status, 507, "{}", page.text());
    assert!(page.text().contains("value=\"Eva\"") && page.text().contains("value=\"06\""), "{}", page.text());
    attempt_all(&gateway);
    disk.free();
    assert_eq!(anna.message(STAFF, "Beste Jan", &[], "keep").status, 204);
}

/// Small and large, ordinary and confidential mail is taken.
fn attempt_all(gateway: &Gateway) {
    for mail in [ordinary("klein", KIB), ordinary("groot", MIB), confidential(KIB), confidential(MIB)] {
        let reply = attempt(gateway, &mail);
        assert!(reply.starts_with("250 "), "{reply}");
    }
}

#[test]
fn a_full_disk_is_451_until_there_is_room_again() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let Some(disk) = SmallDisk::under(&site) else { return };
    let gateway = site.start();
    disk.fill();
    let (mut passed, mut sealed) = (0, 0);
    let small = ordinary("klein", 30 * KIB);
    for mail in [&small, &ordinary("groot", 300 * KIB), &confidential(10), &confidential(300 * KIB)] {
        let reply = attempt(&gateway, mail);
        assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    }
    disk.free();
    for _ in 0..3 {
        submit(gateway.smtp, STAFF, &[ANNA], &small);
        submit(gateway.smtp, STAFF, &[ANNA], &ordinary("groot", 300 * KIB));
        submit(gateway.smtp, STAFF, &[ANNA], &confidential(300 * KIB));
        (passed, sealed) = (passed + 2, sealed + 1);
    }
    drain(&site);
    let seen = smarthost.seen();
    assert_eq!(seen.copies(ANNA), passed + sealed, "as many as were acknowledged");
    assert_eq!(seen.copies(STAFF), sealed);
}

#[test]
fn a_queue_that_fills_the_disk_drains_again() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let site = Site::new(smarthost.address(), "");
    let Some(_disk) = SmallDisk::under(&site) else { return };
    let gateway = site.start();
    let mut accepted = 0;
    for size in [300 * KIB, 30 * KIB, KIB] {
        wait_for("a full disk", || {
            let reply = attempt(&gateway, &ordinary("vol", size));
            accepted += usize::from(reply.starts_with("250 "));
            reply.starts_with("451 4.3.0 ").then_some(())
        });
    }
    assert!(accepted > 0);
    smarthost.change(Script::usual());
    drain(&site);
    assert_eq!(smarthost.seen().copies(ANNA), accepted);
    // The files of what has left go within a minute, and at the next start.
    assert_eq!(gateway.stop(), 0);
    let gateway = site.start();
    wait_for("room for new mail", || {
        attempt(&gateway, &ordinary("weer", 300 * KIB)).starts_with("250 ").then_some(())
    });
}

fn readiness(gateway: &Gateway) -> (u16, String) {
    let answer = get(&format!("http://{}/readyz", gateway.admin));
    (answer.status, answer.text())
}

/// H43: mail that has left needs no restart to make room for other mail.
#[test]
fn a_backlog_that_filled_the_disk_gives_it_back() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let site = Site::new(smarthost.address(), "");
    let Some(_disk) = SmallDisk::under(&site) else { return };
    let gateway = site.start();
    let mail = ordinary("vol", 30 * KIB);
    let mut accepted = 0;
    wait_for("a full disk", || {
        let reply = attempt(&gateway, &mail);
        accepted += usize::from(reply.starts_with("250 "));
        reply.starts_with("451 4.3.0 ").then_some(())
    });
    let (status, text) = readiness(&gateway);
    assert!(status == 503 && text.starts_with("the disk is nearly full, new mail is refused"), "{text}");
    smarthost.change(Script::usual());
    drain(&site);
    assert_eq!(smarthost.seen().copies(ANNA), accepted);
    wait_for("room for new mail", || attempt(&gateway, &mail).starts_with("250 ").then_some(()));
    wait_for("a gateway that is ready", || (readiness(&gateway).0 == 200).then_some(()));
}

/// H43: the room that they need is inside the database, whoever has taken the rest of the disk.
#[test]
fn free_pages_of_the_database_are_room_for_mail() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let site = Site::new(smarthost.address(), "");
    let Some(disk) = SmallDisk::of(&site, "160m") else { return };
    let gateway = site.start();
    let mail = ordinary("vol", 90 * KIB);
    for _ in 0..400 {
        submit(gateway.smtp, STAFF, &[ANNA], &mail);
    }
    smarthost.change(Script::usual());
    drain(&site);
    let log = site.data().join("zegel.db-wal");
    wait_for("an empty log", || (std::fs::metadata(&log).unwrap().len() == 0).then_some(()));
    disk.leave(24 * MIB);
    assert!(attempt(&gateway, &mail).starts_with("250 "), "{}", readiness(&gateway).1);
    drain(&site);
    disk.free();
    disk.leave(12 * MIB);
    let reply = attempt(&gateway, &mail);
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
}

#[test]
fn a_read_only_data_folder_is_told_at_the_start() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let Some(disk) = SmallDisk::under(&site) else { return };
    assert_eq!(site.start().stop(), 0);
    disk.become_read_only();
    let (status, _, trouble) = site.command(&["serve"]);
    assert_eq!(status, 1);
    assert!(trouble.contains("data") && trouble.to_lowercase().contains("read-only"), "{trouble}");
}

#[test]
fn files_that_cannot_be_made_are_451_and_leave_nothing() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (blobs, away) = (site.data().join("blobs"), site.data().join("away"));
    std::fs::rename(&blobs, &away).unwrap();
    for mail in [ordinary("groot", 300 * KIB), confidential(10)] {
        let reply = attempt(&gateway, &mail);
        assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    }
    std::fs::rename(&away, &blobs).unwrap();
    submit(gateway.smtp, STAFF, &[ANNA], &ordinary("groot", 300 * KIB));
    submit(gateway.smtp, STAFF, &[ANNA], &confidential(10));
    drain(&site);
    assert_eq!(smarthost.seen().taken.len(), 3);
}

#[test]
fn a_limit_on_file_sizes_is_451_and_kills_nobody() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    // In blocks of 512 bytes: 10 MiB.
    let mut gateway = site.start_as(limited("-f 20480"));
    for mail in [ordinary("groot", 11 * MIB), confidential(11 * MIB)] {
        let reply = attempt(&gateway, &mail);
        assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    }
    assert!(gateway.is_alive());
    assert_eq!(all_bytes(&site.data().join("blobs")).len(), 0, "what was begun is removed");
    submit(gateway.smtp, STAFF, &[ANNA], &ordinary("klein", 300 * KIB));
    let seen = smarthost.wait(|seen| !seen.taken.is_empty());
    assert_eq!(seen.taken.len(), 1);
}

#[test]
fn a_second_gateway_on_the_same_folder_does_no_harm() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let in_the_making = site.data().join("blobs/tmp").join(BlobName::random().as_str());
    std::fs::write(&in_the_making, "sealed").unwrap();
    let (status, _, trouble) = site.command(&["serve"]);
    assert_eq!(status, 1);
    assert!(trouble.contains("another zegel is running on this data folder"), "{trouble}");
    assert!(in_the_making.exists());
    submit(gateway.smtp, STAFF, &[ANNA], &ordinary("x", 10));
    smarthost.wait(|seen| seen.copies(ANNA) == 1);
}

#[test]
fn trouble_at_any_stage_of_the_smarthost_ends_in_one_copy_each() {
    let stages =
        [Stage::Connect, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content, Stage::Dot];
    // Side by side, because each waits for its retries.
    thread::scope(|scope| {
        for stage in stages {
            scope.spawn(move || assert_one_copy_each(stage));
        }
    });
}

/// A smarthost that closes at this stage, then refuses there, and then works.
fn assert_one_copy_each(stage: Stage) {
    let script = Script::usual().once(stage, Act::Close);
    let smarthost = Smarthost::start(script.once(stage, Act::SayAndClose("421 4.3.2 not now".into())));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[ANNA, BOB, ELS], &ordinary("x", 10));
    drain(&site);
    let seen = smarthost.seen();
    assert_eq!(seen.connections, 3, "{stage:?}: closed, refused, taken");
    for recipient in [ANNA, BOB, ELS] {
        assert_eq!(seen.copies(recipient), 1, "{stage:?}: {recipient}");
    }
}

/// H35: when the smarthost is back, a queue of a thousand drains, and new mail does not wait for the end of it.
#[test]
fn a_queue_of_a_thousand_drains_and_new_mail_does_not_wait_for_it() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let site = Site::new(smarthost.address(), "");
    site.set("relay", "max_connections = 2");
    let gateway = site.start();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    for number in 0..1000 {
        let reply = client.send(STAFF, &[ANNA], &ordinary(&format!("{number}"), 10)).unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    smarthost.change(Script::usual());
    site.command(&["queue", "retry", "--all"]);
    smarthost.wait(|seen| !seen.taken.is_empty());
    let before = smarthost.seen().taken.len();
    submit(gateway.smtp, STAFF, &[BOB], &ordinary("nieuw", 10));
    drain(&site);
    let seen = smarthost.seen();
    assert_eq!(seen.copies(ANNA), 1000);
    let place = seen.taken.iter().position(|taken| taken.addresses() == [BOB]).unwrap();
    println!("the new mail was number {place}, taken in after {before}");
    assert!(place < before + 500, "{place}, taken in after {before}");
}

#[test]
fn each_recipient_has_an_end_of_their_own() {
    let later = say("451 4.2.1 mailbox busy");
    let never = say("550 5.1.1 no such user");
    let script = Script::usual().when(Stage::Rcpt, ANNA, later, 1).when(Stage::Rcpt, BOB, never, usize::MAX);
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[ANNA, BOB, ELS], &ordinary("x", 10));
    drain(&site);
    let seen = smarthost.seen();
    for (recipient, copies) in [(ANNA, 1), (BOB, 0), (ELS, 1), (STAFF, 1)] {
        assert_eq!(seen.copies(recipient), copies, "{recipient}");
    }
}

#[test]
fn a_client_that_leaves_within_a_message_leaves_nothing() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    for (command, part) in [
        ("DATA", ordinary("weg", 300 * KIB)),
        ("DATA", b"Subject: [vertrouwelijk] weg\r\n\r\nx\r\n.".to_vec()),
        ("DATA", b"Subject: weg\r\n\r\nx\r\n.\r".to_vec()),
        ("BDAT 600 LAST", b"Subject: weg\r\n\r\nx\r\n".to_vec()),
        ("BDAT 18", b"Subject: weg\r\n\r\nx".to_vec()),
    ] {
        let mut client = SmtpClient::connect(gateway.smtp).unwrap();
        client.command(&format!("MAIL FROM:<{STAFF}>")).unwrap();
        client.command(&format!("RCPT TO:<{ANNA}>")).unwrap();
        client.write(format!("{command}\r\n").as_bytes()).unwrap();
        client.write(&part).unwrap();
    }
    submit(gateway.smtp, STAFF, &[BOB], &ordinary("blijft", 10));
    smarthost.wait(|seen| seen.copies(BOB) == 1);
    // Whoever is told to stop finishes first: after that nothing can come any more.
    assert_eq!(gateway.stop(), 0);
    assert_eq!(site.command(&["queue", "list", "--json"]).1.trim(), "[]");
    assert_eq!(smarthost.seen().taken.len(), 1);
    assert_eq!(all_bytes(&site.data().join("blobs")).len(), 0);
}

#[test]
fn a_smarthost_that_is_down_at_the_start_is_waited_for() {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let site = Site::new(address, "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[ANNA], &ordinary("x", 300 * KIB));
    submit(gateway.smtp, STAFF, &[ANNA], &tagged(STAFF, ANNA));
    wait_for("a first attempt", || {
        site.command(&["queue", "list", "--json"]).1.contains("refused").then_some(())
    });
    gateway.kill();
    let smarthost = Smarthost::start_at(address, Script::usual());
    let _gateway = site.start();
    drain(&site);
    let seen = smarthost.seen();
    assert_eq!((seen.copies(ANNA), seen.copies(STAFF)), (2, 1));
}

#[test]
fn without_file_descriptors_it_lives_on() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start_as(limited("-n 64"));
    let mut early = SmtpClient::connect(gateway.smtp).unwrap();
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(gateway.smtp).unwrap()).collect();
    gateway.wait_for_log("cannot accept SMTP connections");
    let reply = early.send(STAFF, &[ANNA], &confidential(10)).unwrap();
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    let reply = early.send(STAFF, &[ANNA], &ordinary("klein", 10)).unwrap();
    let accepted = usize::from(reply.starts_with("250 "));
    drop(idle);
    submit(gateway.smtp, STAFF, &[ANNA], &ordinary("x", 10));
    submit(gateway.smtp, STAFF, &[ANNA], &confidential(10));
    drain(&site);
    assert_eq!(smarthost.seen().copies(ANNA), accepted + 2);
}

#[test]
fn a_large_message_costs_little_memory() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let mail = ordinary("groot", 30 * MIB);
    let before = gateway.peak_memory();
    submit(gateway.smtp, STAFF, &[ANNA], &mail);
    smarthost.wait(|seen| seen.copies(ANNA) == 1);
    let grown = gateway.peak_memory() - before;
    println!("passed: {} KiB for {} KiB", grown / KIB, mail.len() / KIB);
    assert!(grown < 3 * mail.len(), "{} KiB", grown / KIB);
    submit(gateway.smtp, STAFF, &[ANNA], &confidential(30 * MIB));
    let seen = smarthost.wait(|seen| seen.copies(ANNA) == 2);
    let grown = gateway.peak_memory() - before;
    println!("sealed: {} KiB for {} KiB", grown / KIB, mail.len() / KIB);
    assert!(seen.taken[0].message.ends_with(&mail), "byte for byte");
    assert!(grown < 4 * mail.len(), "{} KiB", grown / KIB);
}

#[test]
fn too_much_mail_at_once_is_452() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    site.set("smtp", "max_message_size = \"4MiB\"\nmemory_budget = \"8MiB\"");
    let gateway = site.start();
    let mail = ordinary("groot", 4 * MIB - KIB);
    let together = Barrier::new(6);
    let refused = thread::scope(|scope| {
        let send = || {
            let mut client = SmtpClient::connect(gateway.smtp).unwrap();
            for command in [&format!("MAIL FROM:<{STAFF}>"), &format!("RCPT TO:<{ANNA}>"), "DATA"] {
                assert!(client.command(command).unwrap().starts_with(['2', '3']));
            }
            let (half, rest) = mail.split_at(mail.len() / 2);
            client.write(half).unwrap();
            together.wait();
            client.write(rest).unwrap();
            client.command(".").unwrap()
        };
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(send)).collect();
        let replies: Vec<String> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let known = |reply: &String| reply.starts_with("250 ") || reply.starts_with("452 4.3.1 ");
        assert!(replies.iter().all(known), "{replies:?}");
        replies.iter().filter(|reply| reply.starts_with("452")).count()
    });
    assert!(refused > 0, "six times 4 MiB do not fit into 8");
    for _ in 0..refused {
        submit(gateway.smtp, STAFF, &[ANNA], &mail);
    }
    drain(&site);
    let seen = smarthost.seen();
    assert_eq!(seen.taken.len(), 6);
    assert!(seen.taken.iter().all(|taken| taken.message.ends_with(&mail)));
}

/// H41: as many connections as it takes, each with a message that never ends.
#[test]
fn one_client_does_not_hold_all_the_memory() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    site.set("smtp", "max_message_size = \"4MiB\"\nmemory_budget = \"40MiB\"");
    let gateway = site.start();
    let begin = |client: &mut SmtpClient| {
        for command in [&format!("MAIL FROM:<{STAFF}>"), &format!("RCPT TO:<{ANNA}>"), "DATA"] {
            assert!(client.command(command).unwrap().starts_with(['2', '3']));
        }
    };
    let mail = ordinary("groot", 4 * MIB - KIB);
    let mut greedy: Vec<_> = (0..11).map(|_| SmtpClient::connect(gateway.smtp).unwrap()).collect();
    for client in &mut greedy {
        begin(client);
        client.write(&mail).unwrap();
    }
    // What is over its share is refused at the end, so the messages that fit are known when one is not.
    let over = greedy.pop().unwrap().command(".").unwrap();
    assert_eq!(over, "452 4.3.1 Too much mail at once from this client, try again later\r\n");
    for client in ["127.0.0.2", "127.0.0.3"] {
        let mut client = SmtpClient::connect_from(client, gateway.smtp).unwrap();
        let reply = client.send(STAFF, &[ANNA], &mail).unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    gateway.wait_for_log("Too much mail at once from this client");
    drop(greedy);
}

/// H40: mails with as much to lock as a mail can have, one for every seat there is.
#[test]
fn a_small_sealed_mail_waits_for_no_large_ones() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let recipients: Vec<String> = (0..40).map(|number| format!("r{number}@example.org")).collect();
    let to: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let large = ordinary("[vertrouwelijk wachtwoord=Molen-Kapel-4711-Brug] x", 10);
    let smtp = gateway.smtp;
    let (told, answers) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let together = Arc::new(Barrier::new(4 * thread::available_parallelism().unwrap().get() + 1));
        for _ in 1..4 * thread::available_parallelism().unwrap().get() + 1 {
            let (told, together, large, to) = (told.clone(), together.clone(), &large, &to);
            scope.spawn(move || {
                let mut client = SmtpClient::connect(smtp).unwrap();
                client.command(&format!("MAIL FROM:<{STAFF}>")).unwrap();
                for to in to {
                    assert!(client.command(&format!("RCPT TO:<{to}>")).unwrap().starts_with("250 "));
                }
                client.command("DATA").unwrap();
                client.write(large).unwrap();
                client.write(b".\r\n").unwrap();
                together.wait();
                // The gateway is killed before it answers.
                if let Ok(reply) = client.command("NOOP") {
                    told.send(reply).unwrap();
                }
            });
        }
        together.wait();
        // Again, because the first may have been faster than they.
        for _ in 0..3 {
            submit(gateway.smtp, STAFF, &[ANNA], &confidential(10));
        }
        assert_eq!(answers.try_iter().collect::<Vec<_>>(), Vec::<String>::new(), "it waited for one of them");
        gateway.kill();
    });
}

#[test]
fn a_thousand_recipients_get_one_copy_each() {
    // The smarthost has a limit of its own and takes the rest in another transaction (RFC 5321 4.5.3.1.10).
    let too_many = say("452 4.5.3 too many recipients");
    let smarthost = Smarthost::start(Script::usual().when(Stage::Rcpt, "", too_many, 500));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let recipients: Vec<String> = (0..1000).map(|number| format!("r{number}@example.org")).collect();
    let to: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let reply =
        SmtpClient::connect(gateway.smtp).unwrap().send(STAFF, &[&to[..], &[ANNA]].concat(), b"").unwrap();
    assert!(reply.starts_with("452 4.5.3 "), "one too many: {reply}");
    submit(gateway.smtp, STAFF, &to, &ordinary("x", 10));
    drain(&site);
    let seen = smarthost.seen();
    let mut got: Vec<_> = seen.taken.iter().flat_map(|taken| taken.addresses()).collect();
    got.sort_unstable();
    let mut wanted = to;
    wanted.sort_unstable();
    assert_eq!(got, wanted);
}

/// M12, M13: an expired certificate is an alarm, a broken one is not taken, a new one ends the alarm.
#[test]
fn an_expired_certificate_is_an_alarm_until_there_is_a_new_one() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let folder = site.config().parent().unwrap().to_owned();
    let write = |year: i32| {
        let mut parameters = rcgen::CertificateParams::new(vec!["veilig.voorbeeld.nl".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("certificate.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    };
    write(2001);
    site.set("smtp", "tls_certificate = \"certificate.pem\"\ntls_key = \"key.pem\"");
    let gateway = site.start();
    let ready = || get(&format!("http://{}/readyz", gateway.admin));
    let expired = "degraded\nthe certificate in [smtp] has expired\n";
    assert_eq!((ready().status, ready().text()), (200, expired.into()));

    std::fs::write(folder.join("certificate.pem"), "broken").unwrap();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    gateway.reload();
    gateway.wait_for_log("refused");
    wait_for("the old one to stay", || ready().text().contains("has expired").then_some(()));
    write(2999);
    gateway.reload();
    wait_for("the new certificate", || (ready().text() == "ok\n").then_some(()));
    let metrics = get(&format!("http://{}/metrics", gateway.admin)).text();
    assert!(
        metrics.contains("zegel_certificate_not_after_timestamp_seconds{section=\"smtp\"} 32"),
        "{metrics}"
    );
    assert!(client.command("NOOP").unwrap().starts_with("250 "), "no connection was dropped");
}

#[test]
fn mail_comes_in_over_tls() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let made = rcgen::generate_simple_self_signed(vec!["veilig.voorbeeld.nl".to_owned()]).unwrap();
    let folder = site.config().parent().unwrap().to_owned();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    site.set("smtp", "tls_certificate = \"certificate.pem\"\ntls_key = \"key.pem\"\nrequire_tls = true");
    let gateway = site.start();

    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    assert!(client.command(&format!("MAIL FROM:<{STAFF}>")).unwrap().starts_with("530 5.7.0 "));
    assert!(client.command("STARTTLS").unwrap().starts_with("220 "));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "veilig.voorbeeld.nl".try_into().unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut client = SmtpClient::over(StreamOwned::new(tls, client.into_stream()));
    let offered = client.command("EHLO mail.voorbeeld.nl").unwrap();
    assert!(!offered.contains("STARTTLS"), "{offered}");
    let mail = ordinary("versleuteld", 300 * KIB);
    assert!(client.send(STAFF, &[ANNA], &mail).unwrap().starts_with("250 "));

    let seen = smarthost.wait(|seen| seen.copies(ANNA) == 1);
    let message = &seen.taken[0].message;
    assert!(message.ends_with(&mail));
    let received = String::from_utf8_lossy(&message[..message.len() - mail.len()]).into_owned();
    assert!(received.contains(" with ESMTPS ") && received.contains("TLSv1_3"), "{received}");
}
